/**
 * A cell as V8's REPL mode can run it.
 *
 * REPL mode lets the next cell redeclare `let` with `let`, and nothing else. A person who turns a `const` into a
 * function and runs the cell again must not be told that the name is taken, so everything that a cell declares
 * becomes a `let`, functions ahead of the rest as the language has it. Closures see the new value, as they
 * should in a notebook. Within the cell a `const` is one all the same (constants.ts).
 */
import type {
  AnyNode,
  ExportDefaultDeclaration,
  FunctionDeclaration,
  ImportDeclaration,
  ModuleDeclaration,
  Program,
  Statement,
  VariableDeclaration,
} from 'acorn';
import { constantEdits } from './constants.js';
import { type Edit, EditedSource, type Position } from './edited-source.js';
import { rewriteMagics } from './magics.js';
import { KERNEL_GLOBAL } from './names.js';
import { mapThrough } from './source-map.js';
import { SourceSyntaxError, type StripContext, type Stripper } from './strip.js';
import { denoEdits, importEdits, namesOf, parseModule, walk } from './syntax.js';
import type { StripOptions } from './transpile.js';

/** A static import of a cell. */
export interface CellImport {
  specifier: string;
  attributes: Record<string, string>;
  /** Local names by what they stand for: a name that the module exports, or `*` for all of it. */
  bindings: { local: string; imported: string }[];
  /** Where the import stands, for errors. */
  position: Position;
}

/** What is to be run. */
export interface CellCode {
  /** What V8 evaluates. */
  expression: string;
  imports: CellImport[];
  /** Names that the cell uses as values: an import that is only a type is missing, and that is no error. */
  used: Set<string>;
  /** Names that the cell declares at its top, imports left aside. */
  declares: string[];
  /** Whether the last statement is an expression: its value is the result. */
  hasResult: boolean;
  /** Where in the cell a place of the expression came from. */
  original(place: Position): Position;
}

type TopLevel = Statement | ModuleDeclaration;

/** Makes a cell ready to run. Throws a `SourceSyntaxError`. */
export function compileCell(
  source: string,
  name: string,
  strip: Stripper,
  options: () => StripOptions = () => ({}),
): CellCode {
  try {
    return compileCode(source, name, strip, options);
  } catch (error) {
    if (!(error instanceof SourceSyntaxError)) throw error;
    const errorLine = (text: string) => lineOfError(() => compileCode(text, name, strip, options));
    const rewritten = rewriteMagics(source, KERNEL_GLOBAL, errorLine);
    if (rewritten === undefined) throw error;
    const { imports, original, ...code } = compileRewritten(rewritten, error, () =>
      compileCode(rewritten.text, name, strip, options),
    );
    return {
      ...code,
      imports: imports.map((item) => ({ ...item, position: rewritten.original(item.position) })),
      original: (place) => rewritten.original(original(place)),
    };
  }
}

/** Of two errors the one that lies further on says what is wrong beside the lines that are no code. */
function compileRewritten(
  rewritten: EditedSource,
  first: SourceSyntaxError,
  compile: () => CellCode,
): CellCode {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof SourceSyntaxError)) throw error;
    const { line, column } = rewritten.original(error);
    throw line > first.line ? new SourceSyntaxError(error.message, first.fileName, line, column) : first;
  }
}

function lineOfError(compile: () => unknown): number | undefined {
  try {
    compile();
    return undefined;
  } catch (error) {
    if (error instanceof SourceSyntaxError) return error.line;
    throw error;
  }
}

function compileCode(source: string, name: string, strip: Stripper, options: () => StripOptions): CellCode {
  const { code, map, shift } = stripCell(source, name, strip, { allowsJsx: true, options });
  const toSource = (place: Position): Position => {
    const mapped = mapThrough(map, place);
    return mapped.line === 1 ? { ...mapped, column: Math.max(0, mapped.column - shift) } : mapped;
  };
  let program: Program;
  try {
    program = parseModule(code);
  } catch (error) {
    const { message, loc } = error as SyntaxError & { loc?: Position };
    const { line, column } = toSource(loc ?? { line: 1, column: 0 });
    throw new SourceSyntaxError(message.replace(/ \(\d+:\d+\)$/, ''), name, line, column);
  }
  const edited = new Rewriter(code, program).result;
  return {
    expression: edited.text,
    imports: importsOf(program, toSource, code),
    used: usedNames(program),
    declares: declaredNames(program),
    hasResult: endsWithExpression(program, map !== undefined),
    original: (place) => toSource(edited.original(place)),
  };
}

/** Strips a cell. `{ lr }` and `{ a: 1 }` alone are objects, as in every console, and not blocks. */
function stripCell(source: string, name: string, strip: Stripper, context: StripContext) {
  if (/^\s*\{/.test(source) && !/;\s*$/.test(source)) {
    try {
      const { code, map } = strip(`(${source}\n)`, name, { ...context, allowsJsx: false });
      parseModule(code);
      if (map === undefined) return { code, map, shift: 1 };
    } catch {
      // then it is a block
    }
  }
  return { ...strip(source, name, context), shift: 0 };
}

/** Puts the statements of a cell together anew. */
class Rewriter {
  readonly result: EditedSource;
  readonly #edits: Edit[];
  readonly #declared = new Set<string>();

  constructor(code: string, program: Program) {
    // what is evaluated ends here for V8's inspector, and the code runs by itself: see `Evaluator`
    this.result = new EditedSource(code).add(`'use strict';await ${KERNEL_GLOBAL}.turn;`);
    const body: TopLevel[] = program.body;
    const vars = varDeclarations(program);
    const constants = body.map(declarationOf).filter(isConstant);
    const names = constants.flatMap(({ declarations }) => declarations.flatMap(({ id }) => namesOf(id)));
    this.#edits = [
      ...importEdits(program, KERNEL_GLOBAL, false),
      ...(code.includes('Deno') ? denoEdits(program, KERNEL_GLOBAL) : []),
      ...vars.edits,
      ...constantEdits(program, new Set(names), KERNEL_GLOBAL),
    ].sort((a, b) => a.start - b.start);
    for (const name of vars.names) this.result.add(`let ${name};`);
    for (const name of vars.names) this.#declared.add(name);
    for (const node of body) this.#hoist(node);
    let at = code.startsWith('#!') ? code.split('\n', 1)[0]!.length : 0;
    for (const node of body) {
      this.#take(at, node.start);
      this.#statement(node);
      at = node.end;
    }
    this.#take(at, code.length);
  }

  #take(start: number, end: number): void {
    this.result.takeEdited(start, end, this.#edits);
  }

  /** Functions exist before the first statement runs. */
  #hoist(node: TopLevel): void {
    const declaration = declarationOf(node);
    if (!isNamedFunction(declaration)) return;
    const { id } = declaration;
    this.result.add(this.#declared.has(id.name) ? `${id.name}=` : `let ${id.name}=`);
    this.#declared.add(id.name);
    this.#take(declaration.start, id.start);
    this.#take(id.end, declaration.end);
    this.result.add(';');
  }

  #statement(node: TopLevel): void {
    const declaration = declarationOf(node);
    if (node.type === 'ImportDeclaration' || isNamedFunction(declaration) || isBareExport(node)) {
      this.result.add(';');
    } else if (isConstant(declaration)) {
      this.result.add('let');
      this.#take(declaration.start + 'const'.length, declaration.end);
    } else if (node.type === 'ExportDefaultDeclaration') {
      const named = node.declaration.type === 'ClassDeclaration' && node.declaration.id !== null;
      if (!named) this.result.replace(node.start, ';(');
      this.#take(node.declaration.start, node.declaration.end);
      if (!named) this.result.add(');');
    } else {
      const inner = declaration ?? node;
      this.#take(inner.start, inner.end);
    }
  }
}

/**
 * The names that `var` declares anywhere outside of functions, and the edits that turn the declarations into
 * assignments: the names are declared ahead, as the language has it. Enums and namespaces rest on that.
 */
function varDeclarations(program: Program): { names: Set<string>; edits: Edit[] } {
  const names = new Set<string>();
  const edits: Edit[] = [];
  walk(program, (node, parent) => {
    const inner = node as AnyNode;
    if (isFunction(inner)) return 'skip';
    if (!isVariableDeclaration(inner) || inner.kind !== 'var') return undefined;
    for (const { id } of inner.declarations) for (const name of namesOf(id)) names.add(name);
    const [first, last] = [inner.declarations[0]!, inner.declarations.at(-1)!];
    const isHead =
      parent !== undefined && /^For/.test(parent.type) && (parent as { body?: unknown }).body !== node;
    if (isHead) {
      edits.push({ start: inner.start, end: first.start, text: '' });
    } else if (inner.declarations.some(({ init }) => init)) {
      edits.push(
        { start: inner.start, end: first.start, text: 'void (' },
        { start: last.end, end: last.end, text: ')' },
      );
    } else {
      edits.push({ start: inner.start, end: inner.end, text: ';' });
    }
    return undefined;
  });
  return { names, edits };
}

function declaredNames(program: Program): string[] {
  const body: TopLevel[] = program.body;
  return body.map(declarationOf).flatMap((declaration) => {
    if (isVariableDeclaration(declaration)) return declaration.declarations.flatMap(({ id }) => namesOf(id));
    const isNamed = declaration?.type === 'ClassDeclaration' || declaration?.type === 'FunctionDeclaration';
    return isNamed && declaration.id ? [declaration.id.name] : [];
  });
}

function isFunction(node: AnyNode): boolean {
  return /Function/.test(node.type) || node.type === 'StaticBlock';
}

/** The declaration that a statement is or exports. */
function declarationOf(node: TopLevel): AnyNode | undefined {
  if (node.type === 'ExportNamedDeclaration' || node.type === 'ExportDefaultDeclaration') {
    return (node.declaration as AnyNode | null | undefined) ?? undefined;
  }
  return node;
}

function isNamedFunction(node: AnyNode | undefined): node is FunctionDeclaration {
  return node?.type === 'FunctionDeclaration' && node.id !== null;
}

function isVariableDeclaration(node: AnyNode | undefined): node is VariableDeclaration {
  return node?.type === 'VariableDeclaration';
}

function isConstant(node: AnyNode | undefined): node is VariableDeclaration {
  return isVariableDeclaration(node) && node.kind === 'const';
}

/** `export { a }` and `export … from`: no module imports from a cell. */
function isBareExport(node: TopLevel): boolean {
  if (node.type === 'ExportAllDeclaration') return true;
  return node.type === 'ExportNamedDeclaration' && !node.declaration;
}

function importsOf(program: Program, toSource: (place: Position) => Position, code: string): CellImport[] {
  const body: TopLevel[] = program.body;
  const before = (offset: number) => code.slice(0, offset).split('\n');
  return body
    .filter((node): node is ImportDeclaration => node.type === 'ImportDeclaration')
    .map((node) => {
      const lines = before(node.source.start);
      return {
        specifier: String(node.source.value),
        attributes: Object.fromEntries(
          (node.attributes ?? []).map(({ key, value }) => [
            key.type === 'Identifier' ? key.name : String(key.value),
            String(value.value),
          ]),
        ),
        bindings: node.specifiers.map((specifier) => ({
          local: specifier.local.name,
          imported:
            specifier.type === 'ImportNamespaceSpecifier'
              ? '*'
              : specifier.type === 'ImportDefaultSpecifier'
                ? 'default'
                : specifier.imported.type === 'Identifier'
                  ? specifier.imported.name
                  : String(specifier.imported.value),
        })),
        position: toSource({ line: lines.length, column: lines.at(-1)!.length }),
      };
    });
}

/** Names that stand for values somewhere in a program, its imports left aside. */
export function usedNames(program: Program): Set<string> {
  const names = new Set<string>();
  walk(program, (node, parent) => {
    if (node.type !== 'Identifier' || parent?.type.startsWith('Import')) return;
    const inner = parent as AnyNode | undefined;
    const isName =
      (inner?.type === 'MemberExpression' && inner.property === node && !inner.computed) ||
      (inner?.type === 'Property' && inner.key === node && !inner.computed && !inner.shorthand);
    if (!isName) names.add((node as unknown as { name: string }).name);
  });
  return names;
}

/** Whether the value of a cell is to be shown. `generated` code has a little around what the person wrote. */
function endsWithExpression(program: Program, generated: boolean): boolean {
  const body: TopLevel[] = program.body.filter(
    // amaro declares a namespace at the end
    (node) =>
      node.type !== 'EmptyStatement' &&
      !(generated && isVariableDeclaration(node) && !node.declarations[0]?.init),
  );
  const end = body.at(-1);
  if (end === undefined) return false;
  if (end.type === 'ExpressionStatement') return true;
  if (end.type === 'ExportDefaultDeclaration') return !isDeclaration(end);
  // TypeScript puts what follows a `using` into a block
  return generated && end.type === 'TryStatement' && end.block.body.at(-1)?.type === 'ExpressionStatement';
}

function isDeclaration(node: ExportDefaultDeclaration): boolean {
  return node.declaration.type === 'ClassDeclaration' || node.declaration.type === 'FunctionDeclaration';
}
