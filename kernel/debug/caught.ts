import type { Node, TryStatement } from 'acorn';
import { lineStarts } from '../engine/edited-source.js';
import { parseModule, walk } from '../engine/syntax.js';

/**
 * Whether code at a place stands in a `try` with a `catch` of its own function: what is thrown there, or in a function
 * that is called there, ends there. Lines and columns count from 0. Code that cannot be read is taken for caught.
 */
export function isInTry(code: string, line: number, column: number): boolean {
  const offset = (lineStarts(code)[line] ?? 0) + column;
  const contains = (node: Node) => node.start <= offset && offset < node.end;
  let caught = false;
  try {
    // parents come first: what an inner function says takes the place of what was found around it
    walk(parseModule(code), (node) => {
      if (!contains(node)) return 'skip';
      if (/Function|StaticBlock|PropertyDefinition/.test(node.type)) caught = false;
      const { block, handler } = node as TryStatement;
      if (node.type === 'TryStatement' && handler && contains(block)) caught = true;
      return undefined;
    });
  } catch {
    return true;
  }
  return caught;
}
