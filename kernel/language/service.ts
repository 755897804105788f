import { dirname, join } from 'node:path';
import ts from 'typescript';
import { isOwnPackage, kernelFile } from '../common/own-package.js';
import { withoutNpm } from '../engine/npm-specifier.js';
import { ambientDeclarations } from './ambient.js';
import { CellModules } from './cell-modules.js';
import { isObjectAlone } from './completeness.js';
import type { Completions } from './language.js';
import { compilerOptions, nodeTypesFolder } from './options.js';
import { shortenLiterals } from './shorten.js';

/** Names of a completion that are shown at most: more cannot be read, and cost time on their way. */
const MAX_ITEMS = 2000;

/** Diagnostics that are wrong about a REPL, where a name of an earlier cell is no import. */
const REPL_DIFFERS = new Set([
  2632, // Cannot assign to 'x' because it is an import.
  2440, // Import declaration conflicts with local declaration of 'x'.
]);

/** Diagnostics about an undeclared name; a cell may have put it on `globalThis`. */
const UNKNOWN_NAME = new Set([
  2304, // Cannot find name 'x'.
  2552, // Cannot find name 'x'. Did you mean 'y'?
  18004, // No value exists in scope for the shorthand property 'x'.
]);

/** TypeScript's language service over the cells of a notebook. */
export class CellService {
  #folder: string;
  #cells = new CellModules();
  #draft: string;
  #draftText = '';
  /** Where the draft begins in its text. */
  #draftStart = 0;
  #root: string;
  #ambient: string;
  #version = 0;
  #service: ts.LanguageService;

  /** @param folder where the cells are, as far as imports are concerned */
  constructor(folder: string) {
    this.#folder = folder;
    this.#draft = this.#fileOf('draft.ts');
    this.#root = this.#draft;
    this.#ambient = this.#fileOf('ambient.d.ts');
    this.#service = ts.createLanguageService(
      this.#makeHost(),
      ts.createDocumentRegistry(ts.sys.useCaseSensitiveFileNames),
    );
  }

  #fileOf(name: string): string {
    // hidden names, so that a file `cell-1.ts` of the person is not taken for a cell
    return join(this.#folder, `.${name}`);
  }

  /** Adds a cell, which later ones take names from. */
  add(name: string, code: string): void {
    this.#cells.add(this.#fileOf(name), shortenLiterals(code));
  }

  /** What is wrong with the types of a cell, each as a line for a person. */
  check(name: string): string[] {
    const file = this.#fileOf(name);
    const code = this.#cells.code(file);
    // its names have all been declared again since
    if (code === undefined || isObjectAlone(code)) return [];
    this.#root = file;
    return this.#service
      .getSemanticDiagnostics(file)
      .filter(({ code: number, start = 0, length = 0, category, messageText }) => {
        if (category !== ts.DiagnosticCategory.Error || start > code.length || REPL_DIFFERS.has(number))
          return false;
        const isGlobal = this.#cells.globals.has(code.slice(start, start + length));
        return !(
          (isGlobal && UNKNOWN_NAME.has(number)) ||
          (number === 7017 && String(messageText).includes("'typeof globalThis'"))
        );
      })
      .map((diagnostic) => {
        const before = code.slice(0, diagnostic.start ?? 0).split('\n');
        const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  ');
        return `${name}:${before.length}:${before.at(-1)!.length + 1} - warning TS${diagnostic.code}: ${text}\n`;
      });
  }

  complete(code: string, offset: number): Completions {
    this.#setDraft(code, offset);
    const at = this.#draftStart + offset;
    const found = this.#service.getCompletionsAtPosition(this.#draft, at, {
      includeCompletionsForModuleExports: false,
      includeCompletionsWithInsertText: false,
    });
    const span = found?.optionalReplacementSpan;
    const typed = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, offset))![0];
    // of a path only the part behind the last slash
    const begin = found?.entries[0]?.replacementSpan?.start ?? span?.start;
    const start = begin === undefined ? offset - typed.length : begin - this.#draftStart;
    // what is before the cursor counts, what comes after it stays
    const prefix = code.slice(start, offset);
    const items = (found?.entries ?? [])
      .filter(({ name }) => name.startsWith(prefix))
      .sort((a, b) => (a.sortText < b.sortText ? -1 : a.sortText > b.sortText ? 1 : a.name < b.name ? -1 : 1))
      .slice(0, MAX_ITEMS)
      .map(({ name, kind }) => ({ name, kind }));
    const source = this.#service.getProgram()?.getSourceFile(this.#draft);
    const comment = this.#service.getSpanOfEnclosingComment(this.#draft, at, false);
    const quoted = comment !== undefined || (source !== undefined && isQuoted(source, at));
    return { start, end: offset, items, quoted };
  }

  inspect(code: string, offset: number): string | undefined {
    this.#setDraft(code, offset);
    // among the arguments of a call, not on a name, the call is meant
    const called = /[(,\s]$/.test(code.slice(0, offset)) && this.#calledAt(this.#draftStart + offset);
    if (called) return called;
    // with the cursor behind a name or its opening parenthesis the name is meant
    for (const at of [offset, offset - 1, offset - 2]) {
      const info =
        at >= 0 ? this.#service.getQuickInfoAtPosition(this.#draft, this.#draftStart + at) : undefined;
      // of an unknown name TypeScript says "any"
      if (!info || ts.displayPartsToString(info.displayParts) === 'any') continue;
      // that names come from earlier cells as imports is internal to this class
      const shown = ts.displayPartsToString(info.displayParts);
      const signature = shown.replace(/^\(alias\) /, '').replace(/\nimport .*$/, '');
      return documented(signature, info);
    }
    return undefined;
  }

  /** The signature of the call whose arguments are being written. */
  #calledAt(at: number): string | undefined {
    const help = this.#service.getSignatureHelpItems(this.#draft, at, undefined);
    const item = help?.items[help.selectedItemIndex];
    if (item === undefined) return undefined;
    const between = item.separatorDisplayParts;
    const parameters = item.parameters.flatMap(({ displayParts }, i) => [
      ...(i > 0 ? between : []),
      ...displayParts,
    ]);
    const parts = [...item.prefixDisplayParts, ...parameters, ...item.suffixDisplayParts];
    return documented(ts.displayPartsToString(parts), item);
  }

  /** What it takes comes first: code that is being written may leave brackets open, and these take all that follows. */
  #setDraft(whole: string, cursor: number): void {
    const code = shortenLiterals(whole, cursor);
    const { imports, kind, parsed } = this.#cells.link(code, true);
    this.#draft = this.#fileOf(kind === ts.ScriptKind.TSX ? 'draft.tsx' : 'draft.ts');
    this.#draftStart = imports.length + 1;
    this.#draftText = `${imports}\n${parsed}`;
    this.#root = this.#draft;
    this.#version++;
  }

  #makeHost(): ts.LanguageServiceHost {
    const options = compilerOptions(this.#folder);
    const nodeTypes = nodeTypesFolder(this.#folder);
    if (nodeTypes !== undefined) options.typeRoots = [dirname(nodeTypes)];
    const read = (file: string) => {
      if (file === this.#ambient) return ambientDeclarations;
      return file === this.#draft ? this.#draftText : (this.#cells.text(file) ?? ts.sys.readFile(file));
    };
    const isCell = (file: string) =>
      file === this.#draft || file === this.#ambient || this.#cells.text(file) !== undefined;
    const fileExists = (file: string) => isCell(file) || ts.sys.fileExists(file);
    const moduleHost = { ...ts.sys, fileExists, readFile: read };
    let cache = ts.createModuleResolutionCache(this.#folder, (name) => name, options);
    let cacheAge = 0;
    return {
      getCompilationSettings: () => options,
      getScriptFileNames: () => [this.#ambient, this.#root, ...this.#cells.augmentations],
      getScriptVersion: (file) =>
        file === this.#draft
          ? String(this.#version)
          : isCell(file)
            ? 'cell'
            : String(ts.sys.getModifiedTime?.(file)?.getTime() ?? 0),
      getScriptKind: (file) => this.#cells.kind(file) ?? ts.ScriptKind.Unknown,
      getScriptSnapshot: (file) => {
        const text = read(file);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
      getCurrentDirectory: () => this.#folder,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists,
      readFile: read,
      readDirectory: ts.sys.readDirectory,
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
      realpath: ts.sys.realpath,
      resolveModuleNameLiterals: (literals, file) => {
        // a module that was not there may be now
        if (Date.now() - cacheAge > 2000) {
          cache = ts.createModuleResolutionCache(this.#folder, (name) => name, options);
          cacheAge = Date.now();
        }
        return literals.map(({ text: given }) => {
          const text = withoutNpm(given);
          if (text.startsWith('cell:')) {
            return { resolvedModule: { resolvedFileName: text.slice(5), extension: ts.Extension.Ts } };
          }
          const found = ts.resolveModuleName(text, file, options, moduleHost, cache);
          if (found.resolvedModule !== undefined || !isOwnPackage(text)) return found;
          return ts.resolveModuleName(text, kernelFile, options, moduleHost);
        });
      },
    };
  }
}

/** A signature, what its documentation says, and its tags. */
function documented(
  signature: string,
  { documentation, tags = [] }: { documentation?: ts.SymbolDisplayPart[]; tags?: ts.JSDocTagInfo[] },
): string {
  const lines = tags.map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`.trim());
  return [signature, ts.displayPartsToString(documentation), ...lines]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** Whether a place is inside of a string or of the text of a template. */
function isQuoted(source: ts.SourceFile, offset: number): boolean {
  const visit = (node: ts.Node): boolean => {
    if (offset <= node.getStart(source) || offset > node.end) return false;
    const isText =
      ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    if (!isText) return ts.forEachChild(node, visit) ?? false;
    return offset < node.end || (node as ts.LiteralLikeNode).isUnterminated === true;
  };
  return ts.forEachChild(source, visit) ?? false;
}
