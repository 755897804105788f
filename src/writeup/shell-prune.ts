/** @file Takes commands that must not be repeated out of a piece of bash, and leaves the others as they stand. */
import { effectOf, type ShellContext } from './shell-effects.js';
import { nodesOfType, type ShellNode } from './shell-grammar.js';

/** A part of the source that is left out. */
interface Cut {
  readonly start: number;
  readonly end: number;
  /** The commands in it, without the `;` or `|` that joins them to others. */
  readonly text: string;
  readonly reason: string;
}

/** The reason why nothing may stay, or the parts that may not. */
type Cuts = string | readonly Cut[];

/** What is left of a command, and what is not. */
export interface Pruned {
  /** Empty where nothing is left. */
  readonly source: string;
  readonly removed: readonly { readonly text: string; readonly reason: string }[];
}

const SEPARATORS = new Set([';', '&', '\n', ';;']);
/** Nodes whose children are a sequence of statements. */
const SEQUENCES = new Set(['program', 'do_group', 'compound_statement', 'subshell', 'else_clause']);
const KEYWORDS = new Set(['do', 'done', '{', '}', '(', ')', 'else', 'comment']);

/** Finds what to leave out of a node. */
function cutsOf(node: ShellNode, context: ShellContext): Cuts {
  const reason = effectOf(node, context);
  if (reason === undefined) return [];
  if (SEQUENCES.has(node.type)) return sequenceCuts(node, context, reason);
  if (node.type === 'list') return listCuts(node, context, reason);
  if (node.type === 'pipeline') return pipelineCuts(node, context, reason);
  if (node.type === 'for_statement' || node.type === 'while_statement') {
    const body = node.children.find(({ type }) => type === 'do_group');
    const elsewhere = node.children.some((child) => child !== body && effectOf(child, context) !== undefined);
    // a loop without end stays one whatever is in it
    const endless = body === undefined || effectOf(body, context) === undefined;
    return elsewhere || endless ? reason : cutsOf(body, context);
  }
  return reason;
}

/** Statements one after the other: each by itself. */
function sequenceCuts(node: ShellNode, context: ShellContext, reason: string): Cuts {
  const statements = node.children.filter(({ type }) => !SEPARATORS.has(type) && !KEYWORDS.has(type));
  const cuts = statements.map((statement) => ({ statement, cuts: cutsOf(statement, context) }));
  if (cuts.every(({ cuts: each }) => typeof each === 'string')) return reason;
  return cuts.flatMap(({ statement, cuts: each }): readonly Cut[] => {
    if (typeof each !== 'string') return each;
    const at = node.children.indexOf(statement);
    const separator = node.children[at + 1];
    const end = separator && SEPARATORS.has(separator.type) ? separator.end : statement.end;
    const { start, text } = statement;
    return [{ start, end, text, reason: each }];
  });
}

/** `a && b` without one of them is the other; without a part of `a || b` nobody knows what was meant. */
function listCuts(node: ShellNode, context: ShellContext, reason: string): Cuts {
  const [left, operator, right] = node.children;
  if (left === undefined || operator?.type !== '&&' || right === undefined) return reason;
  const [before, after] = [cutsOf(left, context), cutsOf(right, context)];
  if (typeof before === 'string' && typeof after === 'string') return reason;
  if (typeof before === 'string') {
    return [
      { start: left.start, end: right.start, text: left.text, reason: before },
      ...(after as readonly Cut[]),
    ];
  }
  if (typeof after === 'string') {
    return [...before, { start: left.end, end: right.end, text: right.text, reason: after }];
  }
  return [...before, ...after];
}

/** What `tee` copies into a file is also what a cell shows; any other part of a pipeline is needed by the rest. */
function pipelineCuts(node: ShellNode, context: ShellContext, reason: string): Cuts {
  const cuts: Cut[] = [];
  for (const [i, stage] of node.children.entries()) {
    const why = effectOf(stage, context);
    if (why === undefined) continue;
    const previous = node.children[i - 2];
    const isTee = nodesOfType(stage, 'command')[0]?.children[0]?.text === 'tee';
    if (!isTee || previous === undefined) return reason;
    cuts.push({
      start: previous.end,
      end: stage.end,
      text: node.children[i - 1]!.text + ' ' + stage.text,
      reason: why,
    });
  }
  return cuts;
}

/** A text without a part: no blank line stays where a line was, and no second blank where a word was. */
function without(text: string, { start, end }: Cut): string {
  const before = text.slice(0, start);
  const after = text.slice(end);
  if (/(^|\n)[ \t]*$/.test(before) && /^[ \t]*\n/.test(after)) {
    return before.replace(/[ \t]*$/, '') + after.replace(/^[ \t]*\n/, '');
  }
  return before + (/(^|\s)$/.test(before) ? after.replace(/^[ \t]+/, '') : after);
}

/** Leaves out what deletes, overwrites, goes to other machines or does not end. */
export function pruneShell(source: string, context: ShellContext): Pruned {
  const { root } = context.parse(source);
  const cuts = cutsOf(root, context);
  if (typeof cuts === 'string') return { source: '', removed: [{ text: source, reason: cuts }] };
  const left = [...cuts]
    .sort((a, b) => b.start - a.start)
    .reduce((text, cut) => without(text, cut), source)
    .replace(/[\s;]+$/, '');
  // an endless loop stays one whatever is taken out of it
  const rest = effectOf(context.parse(left).root, context);
  if (rest !== undefined) return { source: '', removed: [{ text: source, reason: rest }] };
  return { source: left, removed: cuts.map(({ text, reason }) => ({ text, reason })) };
}
