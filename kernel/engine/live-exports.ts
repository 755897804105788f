/** Exports whose value changes while a module lives: an import of one must show the value of now, not of then. */
import type { Identifier, Literal, ModuleDeclaration, Program, Statement } from 'acorn';
import { assignmentsTo } from './constants.js';
import { namesOf } from './syntax.js';

/** What a module says about its changing exports. */
export interface LiveExports {
  /** Exported names of variables of its own that are assigned to after their declaration. */
  own: ReadonlySet<string>;
  /** What it hands on from other modules; `*` as the imported name is all of it. */
  forwarded: readonly { specifier: string; imported: string; exported: string }[];
}

const NONE: LiveExports = { own: new Set(), forwarded: [] };

/** Finds the changing exports of a module. Without a program (JSON, CommonJS) there are none. */
export function liveExportsOf(program: Program | undefined): LiveExports {
  if (program === undefined) return NONE;
  const body: (Statement | ModuleDeclaration)[] = program.body;
  /** Exported name by local name. */
  const exported: [local: string, exported: string][] = [];
  const forwarded: { specifier: string; imported: string; exported: string }[] = [];
  const imports = new Map<string, { specifier: string; imported: string }>();
  for (const node of body) {
    if (node.type === 'ImportDeclaration') {
      for (const specifier of node.specifiers) {
        if (specifier.type === 'ImportNamespaceSpecifier') continue;
        const imported = specifier.type === 'ImportDefaultSpecifier' ? 'default' : nameOf(specifier.imported);
        imports.set(specifier.local.name, { specifier: String(node.source.value), imported });
      }
    } else if (node.type === 'ExportAllDeclaration' && node.exported === null) {
      forwarded.push({ specifier: String(node.source.value), imported: '*', exported: '*' });
    } else if (node.type === 'ExportNamedDeclaration') {
      for (const { local, exported: name } of node.specifiers) {
        const names = { imported: nameOf(local), exported: nameOf(name) };
        if (node.source) forwarded.push({ specifier: String(node.source.value), ...names });
        else exported.push([names.imported, names.exported]);
      }
      for (const name of declaredBy(node.declaration)) exported.push([name, name]);
    }
  }
  for (const [local, name] of exported) {
    const origin = imports.get(local);
    if (origin !== undefined) forwarded.push({ ...origin, exported: name });
  }
  const assigned = assignmentsTo(program, new Set(exported.map(([local]) => local)));
  const changing = new Set(assigned.map(({ node }) => node.name));
  return {
    own: new Set(exported.filter(([local]) => changing.has(local)).map(([, name]) => name)),
    forwarded,
  };
}

function nameOf(node: Identifier | Literal): string {
  return node.type === 'Identifier' ? node.name : String(node.value);
}

function declaredBy(declaration: Statement | ModuleDeclaration | null | undefined): string[] {
  if (declaration?.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap(({ id }) => namesOf(id));
  }
  const isNamed = declaration?.type === 'FunctionDeclaration' || declaration?.type === 'ClassDeclaration';
  return isNamed && declaration.id ? [declaration.id.name] : [];
}
