/** @file What the parts of a bash block become in a notebook: commands that run, and text. */
import { shellWord } from '../common/shell-word.js';
import { fenced } from './fences.js';
import { arclabCalls, ourCommand } from './script-calls.js';
import type { ShellContext } from './shell-effects.js';
import { nodesOfType } from './shell-grammar.js';
import { pruneShell } from './shell-prune.js';
import { parseShell, type ShellPart } from './shell-text.js';

/** Why a call does not work. */
export interface Refusal {
  readonly reason: string;
  /** True where every flag and value is as it should be, but one names something that is not there. */
  readonly isWellFormed: boolean;
}

/** Our own command line, as an import needs to know it. */
export interface CommandLine {
  /** Why a call would be refused; words that are known only at run time are `undefined`. */
  refusal(words: readonly (string | undefined)[]): Promise<Refusal | undefined>;
  /** True where the command of a call has an option of this name (`dataset_path`). */
  takes(words: readonly (string | undefined)[], option: string): Promise<boolean>;
}

/** How bash blocks are read. */
export interface BlockContext extends ShellContext {
  readonly paths: ReadonlyMap<string, string>;
  /** Options for calls of ours that do not give them, by name. */
  readonly defaults: ReadonlyMap<string, string>;
  readonly commandLine?: CommandLine;
  /** Commands that delete, overwrite, use other machines or do not end become cells, too. */
  readonly runAll: boolean;
}

/** A part of a block in the notebook. */
export type BlockItem =
  | {
      readonly type: 'command';
      readonly source: string;
      readonly comments: readonly string[];
      readonly fails: boolean;
    }
  | { readonly type: 'text'; readonly markdown: string }
  | { readonly type: 'result'; readonly markdown: string };

/** A command that does not run as it is, and why. */
export interface LeftCommand {
  readonly command: string;
  readonly reason: string;
}

/** Said above a command that the notebook does not run. */
export function notRun(reason: string): string {
  return `> Not run with this notebook, because ${reason}:`;
}

/** Words with which a document says that a command is expected to fail. */
const SHOULD_FAIL =
  /\b(should|must|will|expected to|supposed to|has to)\s+(\w+ly\s+)?(break|fail|crash|error out|be refused|not work|(raise|throw|give) an? (\w+ )?(error|exception))|\b(this|it)\s+(breaks|fails|crashes)\b/i;

const SETS_VARIABLES = /^(?:(?:export|unset|declare|local)\s[^;&|<>()`]*|[A-Za-z_]\w*=[^\s;&|<>()`]*)$/;

/** Lines that only set variables one after the other are one command. */
function joinVariables(parts: readonly ShellPart[]): ShellPart[] {
  const joined: ShellPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const both = [last, part].every(
      (each) =>
        each?.type === 'command' && each.source.split('\n').every((line) => SETS_VARIABLES.test(line)),
    );
    if (both && last?.type === 'command' && part.type === 'command' && part.comments.length === 0) {
      joined[joined.length - 1] = { ...last, source: `${last.source}\n${part.source}` };
    } else joined.push(part);
  }
  return joined;
}

/** Adds default options to calls of ours that take them and do not have them. */
async function withDefaults(source: string, { parse, defaults, commandLine }: BlockContext): Promise<string> {
  let command = source;
  for (const { words, end } of arclabCalls(source, parse).reverse()) {
    for (const [name, value] of [...defaults].reverse()) {
      const given = words.some((word) => word?.replace(/=.*/s, '').replaceAll('-', '_') === `__${name}`);
      if (given || !(await commandLine?.takes(words, name))) continue;
      command = `${command.slice(0, end)} --${name} ${shellWord(value)}${command.slice(end)}`;
    }
  }
  return command;
}

async function refusalOf(source: string, { parse, commandLine }: BlockContext): Promise<Refusal | undefined> {
  for (const { words } of arclabCalls(source, parse)) {
    const refusal = await commandLine?.refusal(words);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/**
 * What the parts of a bash block become, the commands that became text, and cells that will fail.
 * @param before the text above it
 */
export async function blockItems(
  block: string,
  context: BlockContext,
  before = '',
): Promise<{ items: BlockItem[]; left: LeftCommand[]; marked: LeftCommand[] }> {
  const items: BlockItem[] = [];
  const left: LeftCommand[] = [];
  const marked: LeftCommand[] = [];
  const leave = (reason: string, source: string, comments: readonly string[] = []) => {
    left.push({ command: source, reason });
    const code = fenced([...comments, source].join('\n'), 'bash');
    items.push({ type: 'text', markdown: `${notRun(reason)}\n\n${code}` });
  };
  const parts = joinVariables(parseShell(block));
  // a sentence before the block is about its command where there is only one
  const isOne = parts.filter(({ type }) => type === 'command').length === 1;
  const sentence = isOne
    ? before
        .trimEnd()
        .split(/\n\s*\n/)
        .at(-1)!
    : '';
  for (const part of parts) {
    if (part.type === 'comment') items.push({ type: 'text', markdown: fenced(part.source, 'bash') });
    else if (part.type === 'result') items.push({ type: 'result', markdown: fenced(part.source, 'text') });
    else {
      const pruned = context.runAll ? { source: part.source, removed: [] } : pruneShell(part.source, context);
      const isAll = pruned.source === '';
      for (const { text, reason } of pruned.removed) leave(reason, text, isAll ? part.comments : []);
      if (isAll) continue;
      const ours = ourCommand(pruned.source, context.parse, context.paths);
      const source = await withDefaults(ours.source, context);
      const trailing = nodesOfType(context.parse(source).root, 'comment').map(({ text }) => text);
      const announced = [...part.comments, ...trailing, sentence].some((text) => SHOULD_FAIL.test(text));
      const refusal = await refusalOf(source, context);
      const isCell = announced || refusal === undefined || refusal.isWellFormed;
      if (ours.reason !== undefined) leave(ours.reason, pruned.source, part.comments);
      else if (!isCell) leave(refusal.reason, source, part.comments);
      else {
        const lack = ours.lack ?? (announced ? undefined : refusal?.reason);
        if (lack !== undefined) marked.push({ command: source, reason: lack });
        const notes = [...ours.notes, ...(lack === undefined ? [] : [`fails: ${lack}`])];
        items.push({
          type: 'command',
          source,
          comments: [...part.comments, ...notes.map((note) => `# ${note}`)],
          fails: announced || lack !== undefined,
        });
      }
    }
  }
  return { items, left, marked };
}
