import {
  type AnyNode,
  type Identifier,
  type ImportExpression,
  type MetaProperty,
  type Options,
  type Pattern,
  type Program,
  parse,
  type Node as SyntaxNode,
} from 'acorn';
import type { Edit } from './edited-source.js';

const OPTIONS: Options = {
  ecmaVersion: 'latest',
  sourceType: 'module',
  allowAwaitOutsideFunction: true,
  allowImportExportEverywhere: false,
  allowHashBang: true,
};

/** Parses JavaScript as a module. Throws acorn's SyntaxError, which carries `loc`. */
export function parseModule(code: string): Program {
  return parse(code, OPTIONS);
}

/** Whether a program declares something with `using`. */
export function hasUsing(program: Program): boolean {
  let found = false;
  walk(program, (node) => {
    const { kind } = node as { kind?: string };
    found ||= node.type === 'VariableDeclaration' && (kind === 'using' || kind === 'await using');
  });
  return found;
}

/** Calls `visit` for a node and everything below it, parents first; not below a node for which it returns 'skip'. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => unknown,
  parent?: SyntaxNode,
): void {
  if (visit(node, parent) === 'skip') return;
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit, node);
    } else if (isNode(value)) {
      walk(value, visit, node);
    }
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof (value as SyntaxNode | null)?.type === 'string';
}

/**
 * The edits that lead `import()` and, in a cell, `import.meta` to the kernel's own: V8 runs a cell without knowing
 * where it stands, and local modules are to be reloaded. A module's own `import.meta` is Node's. In order of places.
 */
export function importEdits(program: Program, kernel: string, inModule: boolean): Edit[] {
  const edits: Edit[] = [];
  walk(program, (node) => {
    if (node.type === 'ImportExpression') {
      const { source } = node as ImportExpression;
      const call = inModule ? `${kernel}.importFor(import.meta.url, ` : `${kernel}.import(`;
      edits.push({ start: node.start, end: source.start, text: call });
    } else if (!inModule && node.type === 'MetaProperty') {
      const { name } = (node as MetaProperty).meta;
      if (name === 'import') edits.push({ start: node.start, end: node.end, text: `${kernel}.meta` });
    }
  });
  return edits.sort((a, b) => a.start - b.start);
}

/** The edits that lead `Deno.…` of a cell that declares no `Deno` to the kernel's own. In order of places. */
export function denoEdits(program: Program, kernel: string): Edit[] {
  const edits: Edit[] = [];
  let isDeclared = false;
  walk(program, (node, parent) => {
    if (node.type !== 'Identifier' || (node as Identifier).name !== 'Deno') return;
    const member = parent as AnyNode | undefined;
    if (member?.type === 'MemberExpression' && member.object === node) {
      edits.push({ start: node.start, end: node.end, text: `${kernel}.deno` });
    } else {
      isDeclared ||= /Declarat|Specifier$|Function|Pattern|Catch/.test(parent?.type ?? '');
    }
  });
  return isDeclared ? [] : edits.sort((a, b) => a.start - b.start);
}

/** The names that a pattern binds. */
export function namesOf(pattern: Pattern | null | undefined): string[] {
  switch (pattern?.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        namesOf(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => namesOf(element));
    case 'AssignmentPattern':
      return namesOf(pattern.left);
    case 'RestElement':
      return namesOf(pattern.argument);
    default:
      return [];
  }
}
