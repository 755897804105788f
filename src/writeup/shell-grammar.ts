/** @file Bash by its grammar: tree-sitter's, which stands in two WebAssembly files of the build. */
import { readFileSync } from 'node:fs';
import type { Node, Parser } from 'web-tree-sitter';
import { buildFile } from '../common/files.js';

/** A node of the syntax tree; `start` and `end` are positions in the text that was parsed. */
export interface ShellNode {
  /** As the grammar names it: `command`, `pipeline`, `list`, `for_statement`, `&&`, … */
  readonly type: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly children: readonly ShellNode[];
}

/** Bash source as a tree. */
export interface ShellTree {
  readonly root: ShellNode;
  /** True where the text is not bash. */
  readonly hasError: boolean;
}

let parser: Promise<Parser> | undefined;

async function loadParser(): Promise<Parser> {
  const { Language, Parser: ShellParser } = await import('web-tree-sitter');
  await ShellParser.init({ wasmBinary: readFileSync(buildFile('web-tree-sitter.wasm')) });
  const bash = new ShellParser();
  bash.setLanguage(await Language.load(readFileSync(buildFile('tree-sitter-bash.wasm'))));
  return bash;
}

/** Loads the grammar, once. @returns a function that parses a piece of bash */
export async function shellGrammar(): Promise<(source: string) => ShellTree> {
  parser ??= loadParser();
  const loaded = await parser;
  return (source) => {
    const tree = loaded.parse(source);
    if (tree === null) throw new Error('the grammar of bash gave no tree');
    try {
      return { root: plain(tree.rootNode, source), hasError: tree.rootNode.hasError };
    } finally {
      tree.delete();
    }
  };
}

/** A node without ties to the parser's memory. */
function plain(node: Node, source: string): ShellNode {
  return {
    type: node.type,
    text: source.slice(node.startIndex, node.endIndex),
    start: node.startIndex,
    end: node.endIndex,
    children: node.children.map((child) => plain(child, source)),
  };
}

/** Every node of a type below a node, the node itself included, in the order of the text. */
export function nodesOfType(node: ShellNode, ...types: readonly string[]): ShellNode[] {
  const below = node.children.flatMap((child) => nodesOfType(child, ...types));
  return types.includes(node.type) ? [node, ...below] : below;
}

/** A word of a command. */
export interface ShellWord {
  /** What the command receives; `undefined` for what is known only at run time: variables, globs, substitutions. */
  readonly value: string | undefined;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What a word is without its quotes; `undefined` where it depends on the run. */
function wordValue(node: ShellNode): string | undefined {
  switch (node.type) {
    case 'word':
    case 'number':
    case 'extglob_pattern':
      return /(^|[^\\])[*?]|^~|[{][^}]*[,.][^}]*[}]/.test(node.text)
        ? undefined
        : node.text.replace(/\\(\r?\n)?([^\n])?/g, '$2');
    case 'raw_string':
      return node.text.slice(1, -1);
    case 'string':
      if (nodesOfType(node, 'simple_expansion', 'expansion', 'command_substitution').length > 0) {
        return undefined;
      }
      return node.text
        .slice(1, -1)
        .replace(/\\(["\\$`])/g, '$1')
        .replace(/\\\n/g, '');
    case 'command_name':
    case 'concatenation': {
      const parts = node.children.map(wordValue);
      return parts.includes(undefined) ? undefined : parts.join('');
    }
    default:
      return undefined;
  }
}

/** The words of a `command` node: its name, then its arguments; assignments before it are left out. */
export function commandWords(command: ShellNode): ShellWord[] {
  return command.children
    .filter(({ type }) => !['variable_assignment', 'file_redirect', 'herestring_redirect'].includes(type))
    .map((node) => ({ value: wordValue(node), text: node.text, start: node.start, end: node.end }));
}
