import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { ImportDeclaration, ModuleDeclaration, Program, Statement } from 'acorn';
import { isObject } from '../../src/common/is-object.js';
import { usedNames } from './cell-code.js';
import type { Edit, Position } from './edited-source.js';
import type { LiveExports } from './live-exports.js';
import { mapThrough } from './source-map.js';
import { SourceSyntaxError, type Stripper } from './strip.js';
import { parseModule } from './syntax.js';

/** A static import or re-export of a module. */
export interface ModuleImport {
  specifier: string;
  /** The place of the specifier, quotes included, and of the attributes behind it. */
  start: number;
  end: number;
}

/** A file of the project, ready to be linked. */
export interface LocalModule {
  file: string;
  /** Changes whenever the file does. */
  stamp: string;
  /** As it was written. */
  source: string;
  /** `commonjs` is left to Node. */
  kind: 'module' | 'commonjs';
  /** JavaScript. */
  code: string;
  program: Program | undefined;
  imports: ModuleImport[];
  /** Imports that are only types are cut out. */
  edits: Edit[];
  original(place: Position): Position;
  /** Found when a cell imports from it. */
  liveExports?: LiveExports;
}

/** When and how large a file was, or undefined where there is none. */
export function stampOf(file: string): string | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.mtimeNs}:${stat.size}:${stat.ino}`;
}

/** Reads a file: TypeScript and JavaScript as code, JSON as data, everything else as a text. */
export function readLocalModule(file: string, name: string, strip: Stripper): LocalModule {
  const stamp = stampOf(file) ?? '';
  const source = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  const extension = extname(file);
  const isTypeScript = /^\.([mc]?tsx?|jsx)$/.test(extension);
  if (isTypeScript || /^\.[mc]?js$/.test(extension)) {
    const stripped = isTypeScript ? strip(source, name) : { code: source, map: undefined };
    const original = (place: Position) => mapThrough(stripped.map, place);
    return { file, stamp, source, original, ...analyse(stripped.code, name, extension, original) };
  }
  const code = extension === '.json' ? jsonModule(source, name) : `export default ${JSON.stringify(source)};`;
  return { ...dataModule, file, stamp, source, code };
}

const dataModule = {
  kind: 'module' as const,
  program: undefined,
  imports: [],
  edits: [],
  original: (place: Position) => place,
};

function analyse(code: string, name: string, extension: string, original: (place: Position) => Position) {
  let program: Program;
  try {
    program = parseModule(code);
  } catch (error) {
    // a script may be what no module may be
    if (extension === '.js' || extension === '.cjs') {
      return { kind: 'commonjs' as const, code, program: undefined, imports: [], edits: [] };
    }
    const { message, loc } = error as SyntaxError & { loc?: Position };
    const { line, column } = original(loc ?? { line: 1, column: 0 });
    throw new SourceSyntaxError(message.replace(/ \(\d+:\d+\)$/, ''), name, line, column);
  }
  const body: (Statement | ModuleDeclaration)[] = program.body;
  const isScript = !body.some(({ type }) => /^(Import|Export)/.test(type));
  if (extension === '.cjs' || (isScript && extension === '.js')) {
    return { kind: 'commonjs' as const, code, program: undefined, imports: [], edits: [] };
  }
  const used = usedNames(program);
  const imports: ModuleImport[] = [];
  const edits: Edit[] = [];
  for (const node of body) {
    if (node.type === 'ImportDeclaration') {
      const kept = node.specifiers.filter(({ local }) => used.has(local.name));
      if (node.specifiers.length > 0 && kept.length === 0) {
        edits.push({ start: node.start, end: node.end, text: '' });
        continue;
      }
      if (kept.length < node.specifiers.length) edits.push(withoutTypes(node, kept, code));
    }
    const { source } = node as { source?: { value: unknown; start: number; end: number } | null };
    if (!/^(Import|Export)/.test(node.type) || !source) continue;
    const { attributes = [] } = node as { attributes?: { end: number }[] };
    const end = attributes.length > 0 ? code.indexOf('}', attributes.at(-1)!.end) + 1 : source.end;
    imports.push({ specifier: String(source.value), start: source.start, end });
  }
  return { kind: 'module' as const, code, program, imports, edits };
}

/** The names between `import` and `from` without those that only stand for types. */
function withoutTypes(node: ImportDeclaration, kept: ImportDeclaration['specifiers'], code: string): Edit {
  const texts = (type: string) => kept.filter((s) => s.type === type).map((s) => code.slice(s.start, s.end));
  const named = texts('ImportSpecifier');
  const clause = [
    ...texts('ImportDefaultSpecifier'),
    ...texts('ImportNamespaceSpecifier'),
    ...(named.length > 0 ? [`{ ${named.join(', ')} }`] : []),
  ].join(', ');
  return { start: node.start, end: node.source.start, text: `import ${clause} from ` };
}

/** JSON as a module: the value as its default export, and the properties of an object by their names. */
function jsonModule(text: string, name: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${name} is not valid JSON: ${(error as Error).message}`);
  }
  const keys = isObject(value) ? Object.keys(value).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key)) : [];
  const named = keys
    .filter((key) => key !== 'default')
    .map((key, i) => `const _${i} = data[${JSON.stringify(key)}]; export { _${i} as ${key} };`);
  return `const data = JSON.parse(${JSON.stringify(text)}); export default data; ${named.join(' ')}`;
}
