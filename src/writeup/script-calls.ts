/** @file Replaces calls of known Python scripts by commands of ours, and leaves the rest of the text as it stands. */
import { commonRules, type KnownScript, knownScripts, type OptionRule } from './known-scripts.js';
import { commandWords, nodesOfType, type ShellTree, type ShellWord } from './shell-grammar.js';

/** A command as it can be run here. */
export interface OurCommand {
  readonly source: string;
  /** What was left out, and why. */
  readonly notes: readonly string[];
  /** Why it cannot be run here. */
  readonly reason?: string;
  /** What it needs and is not there: it fails until a person has put something in its place. */
  readonly lack?: string;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** An option in a call, with the words that belong to it. */
interface GivenOption {
  /** Written with `_`, without its value. */
  readonly name: string;
  readonly word: ShellWord;
  readonly values: readonly (string | undefined)[];
  /** The values as they are written. */
  readonly written: readonly string[];
  /** Where the word before it and its own last word end. */
  readonly from: number;
  readonly to: number;
}

const WRAPPERS = /^(time|nohup|env|nice|sudo|exec|srun|-[\w-]+|\w+=.*|\d+)$/;
const LAUNCHERS = /^(python[\d.]*|accelerate|torchrun|deepspeed|uv|poetry|ipython)$/;
const fileName = (path: string) => path.replace(/^.*\//, '');

/** Which word of a command is a known script that the words before it run, and where its launcher begins. */
function scriptIn(words: readonly ShellWord[]): { launcher: number; script: number } | undefined {
  const script = words.findIndex(({ text }) => Object.hasOwn(knownScripts, fileName(text)));
  if (script < 0) return undefined;
  const found = words.findIndex(({ value }, i) => i < script && LAUNCHERS.test(fileName(value ?? '')));
  const launcher = found < 0 ? script : found;
  if (!words.slice(0, launcher).every(({ text }) => WRAPPERS.test(text))) return undefined;
  const between = words.slice(launcher + 1, script);
  if (between.some(({ value }) => value === '-m' || value === '-c')) return undefined;
  const isPython = /^i?python/.test(fileName(words[launcher]!.value ?? ''));
  return isPython && !between.every(({ text }) => text.startsWith('-')) ? undefined : { launcher, script };
}

/** The options after the script. */
function optionsOf(words: readonly ShellWord[], script: number): GivenOption[] {
  const isFlag = ({ text }: ShellWord) => /^--?[a-zA-Z]/.test(text);
  const options: GivenOption[] = [];
  for (let i = script + 1; i < words.length; i++) {
    const word = words[i]!;
    if (!isFlag(word)) continue;
    let last = i;
    while (last + 1 < words.length && !isFlag(words[last + 1]!)) last++;
    const equals = word.text.indexOf('=');
    const own =
      equals < 0 ? [] : [{ value: word.value?.slice(equals + 1), text: word.text.slice(equals + 1) }];
    const values = [...own, ...words.slice(i + 1, last + 1)];
    options.push({
      name: (equals < 0 ? word.text : word.text.slice(0, equals)).replace(
        /(?<=\w)-(?=\w)/g,
        (dash, at: number) =>
          // the dash of --no-verbose is the only one that means something
          word.text.slice(0, at) === '--no' ? dash : '_',
      ),
      word,
      values: values.map(({ value }) => value),
      written: values.map(({ text }) => text),
      from: words[i - 1]!.end,
      to: words[last]!.end,
    });
    i = last;
  }
  return options;
}

/** What the rule makes of an option: text in its place, or why the command stays text. */
function applied(
  rule: OptionRule,
  option: GivenOption,
  all: readonly GivenOption[],
): Edit | { reason: string } {
  const { word, name, values, written, from, to } = option;
  const ours = rule.name ?? name;
  if (rule.keys !== undefined) {
    const numbers = values.map(Number);
    if (numbers.length !== rule.keys.length || numbers.some(Number.isNaN)) {
      return { reason: `${name} takes ${rule.keys.length} numbers here (${rule.keys.join(', ')})` };
    }
    const kinds = Object.fromEntries(rule.keys.map((key, i) => [key, numbers[i]]));
    return { start: word.start, end: to, text: `${ours} '${JSON.stringify({ kinds })}'` };
  }
  if (rule.times !== undefined) {
    const factor = all.find(({ name: other }) => other === rule.times!.option)?.written.at(-1);
    const [a, b] = [written[0] ?? '1', factor ?? String(rule.times.otherwise)];
    const product = Number(a) * Number(b);
    return {
      start: word.start,
      end: to,
      text: `${ours} ${Number.isNaN(product) ? `$((${a} * ${b}))` : product}`,
    };
  }
  if (rule.replace !== undefined) {
    const [from, by] = rule.replace;
    return { start: word.start, end: to, text: [ours, ...written].join(' ').replaceAll(from, by) };
  }
  if (rule.as !== undefined) return { start: word.start, end: to, text: `${ours} ${rule.as}` };
  if (rule.drop !== undefined) return { start: from, end: to, text: '' };
  return { start: word.start, end: word.start + name.length, text: ours };
}

/** True where the conditions of a rule are met. */
function holds(rule: OptionRule, { values }: GivenOption, all: readonly GivenOption[]): boolean {
  if (rule.without !== undefined && all.some(({ name }) => name === rule.without)) return false;
  return rule.value === undefined || values.some((value) => value !== undefined && rule.value!.test(value));
}

/** The script's entry, with what the options of this call choose. */
function entryFor(name: string, options: readonly GivenOption[]): KnownScript {
  const known = knownScripts[name]!;
  const other = known.instead?.find(({ option, value }) =>
    options.some((given) => given.name === option && given.values.some((text) => value.test(text ?? ''))),
  );
  return { ...(other ?? known), options: { ...commonRules, ...known.options, ...other?.options } };
}

/** Takes a command out of the cluster's job queue: `condor_submit job.condor command="…" …` is the `…`. */
function unqueued(source: string, parse: (source: string) => ShellTree): string {
  if (!source.includes('condor_submit')) return source;
  const edits = nodesOfType(parse(source).root, 'command').flatMap((command): Edit[] => {
    const [program, ...args] = commandWords(command);
    const job = args.find(({ text }) => text.startsWith('command='));
    if (program?.text !== 'condor_submit' || job === undefined) return [];
    const quoted = job.text.slice('command='.length);
    const text = /^["'][\s\S]*["']$/.test(quoted) ? quoted.slice(1, -1) : quoted;
    // in quotes a new line is no end of the command
    const lines = text
      .trim()
      .replace(/\\(["`])/g, '$1')
      .replace(/[ \t]*\\?\n\s*/g, ' \\\n');
    return [{ start: command.start, end: command.end, text: lines }];
  });
  return edited(source, edits);
}

function edited(source: string, edits: readonly Edit[]): string {
  return [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce(
      (text, { start, end, text: replacement }) => text.slice(0, start) + replacement + text.slice(end),
      source,
    );
}

/** Replaces paths, the longest first, so that /data/a is not taken for /data. */
function mapped(source: string, paths: ReadonlyMap<string, string>): string {
  if (paths.size === 0) return source;
  const names = [...paths.keys()].sort((a, b) => b.length - a.length);
  const pattern = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  return source.replace(new RegExp(pattern, 'g'), (name) => paths.get(name)!);
}

/** A command as it can be run here: known scripts become commands of arclab, paths are mapped. */
export function ourCommand(
  source: string,
  parse: (source: string) => ShellTree,
  paths: ReadonlyMap<string, string> = new Map(),
): OurCommand {
  const command = mapped(unqueued(source, parse), paths);
  const edits: Edit[] = [];
  const notes: string[] = [];
  let lack: string | undefined;
  for (const node of nodesOfType(parse(command).root, 'command')) {
    const words = commandWords(node);
    const found = scriptIn(words);
    if (found === undefined) continue;
    const options = optionsOf(words, found.script);
    const script = fileName(words[found.script]!.text);
    const known = entryFor(script, options);
    if (known.text !== undefined) return { source: command, notes: [], reason: known.text };
    const [first, last] = [words[found.launcher]!, words[found.script]!];
    edits.push({ start: first.start, end: last.end, text: `arclab ${known.command}` });
    if (first !== last && !/^i?python/.test(fileName(first.text))) {
      notes.push(`without ${first.text}: one process computes on one device`);
    }
    for (const option of options) {
      const rule = known.options?.[option.name]?.find((candidate) => holds(candidate, option, options));
      if (rule === undefined) continue;
      if (rule.text !== undefined) return { source: command, notes: [], reason: rule.text };
      if (rule.lacks !== undefined) {
        lack = rule.lacks;
        continue;
      }
      const edit = applied(rule, option, options);
      if ('reason' in edit) return { source: command, notes: [], reason: edit.reason };
      edits.push(edit);
      if (rule.drop !== undefined)
        notes.push(`without ${[option.name, ...option.written].join(' ')}: ${rule.drop}`);
    }
  }
  return { source: edited(command, edits), notes: [...new Set(notes)], ...(lack !== undefined && { lack }) };
}

/** The words of each call of arclab in a piece of bash, after `arclab`; `undefined` where it is known only at run time. */
export function arclabCalls(source: string, parse: (source: string) => ShellTree) {
  return nodesOfType(parse(source).root, 'command').flatMap((node) => {
    const words = commandWords(node);
    const at = words.findIndex(({ text }) => text === 'arclab');
    const isCall = at >= 0 && words.slice(0, at).every(({ text }) => WRAPPERS.test(text));
    return isCall ? [{ words: words.slice(at + 1).map(({ value }) => value), end: words.at(-1)!.end }] : [];
  });
}
