import { spawnSync } from 'node:child_process';
import { WriteupError } from './errors.js';
import { ALONE, ENGLISH, PROGRAMS } from './shell-words.js';

/**
 * Bash as a person writes it into a document: commands over several lines, comments, and now and then the
 * lines that a command printed. Only what is needed to find where a command begins and ends is understood.
 */

/** A part of a bash block: a command, or lines that are none. */
export type ShellPart =
  | {
      readonly type: 'command';
      /** The command as it was written, without a `$` before it. */
      readonly source: string;
      /** The comment lines right above it, `#` included. */
      readonly comments: readonly string[];
    }
  | { readonly type: 'result'; readonly source: string }
  | { readonly type: 'comment'; readonly source: string };

/** A variable that is set, with its value. */
const ASSIGNMENT = /^([A-Za-z_]\w*)\+?=((?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s;"'])*)(?=\s|;|$)\s*/;

/**
 * True where a line only sets variables. `n_jobs=-1, 114.21run/s]` is what a program printed, and so is `loss=0.5
 * acc=0.1`; one variable with a small name is set only if it is used.
 */
function setsVariables(names: readonly string[], values: readonly string[], block: string): boolean {
  if (values.some((value) => value.endsWith(','))) return false;
  if (names.every((name) => name === name.toUpperCase())) return true;
  return names.every((name) => new RegExp(`\\$\\{?${name}\\b`).test(block));
}

/**
 * True where a line reads like the beginning of a command and not like something that a command printed.
 * @param block the whole block: a variable that is used in it is a variable
 */
export function looksLikeCommand(line: string, block = line): boolean {
  // tests, arithmetic, a script that is read in, a program whose name is in a variable
  if (
    /^(\[ .* \]|\[\[ .* \]\]|\(\(.*\)\)|\. [\w.~/-]+|"?\$\{?[A-Za-z_]\w*\}?"?(\/\S*)?\s+\S)/.test(line.trim())
  )
    return true;
  let text = line.trim().replace(/^(?:[({!]\s*)+/, '');
  if (/^(function\s+[\w-]+|[\w-]+\s*\(\))\s*(\{|\(|$)/.test(text)) return true;
  // variables set before a command, or alone: `X=1`, `CUDA_VISIBLE_DEVICES=0 python …`
  const names: string[] = [];
  const values: string[] = [];
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    names.push(match[1]!);
    values.push(match[2]!);
    text = text.slice(match[0].length);
  }
  if (names.length > 0 && (text === '' || text.startsWith('#'))) return setsVariables(names, values, block);
  if (names.length > 0 && text.startsWith(';')) return looksLikeCommand(text.slice(1), block);
  if (values.some((value) => value.endsWith(','))) return false;
  const word = /^[^\s;|&()<>]+/.exec(text)?.[0] ?? '';
  const rest = text.slice(word.length).trimStart();
  // `python: 3.12` is a result, and so is `python 3.12`
  if (PROGRAMS.has(word)) return !/^[:=]|^v?\d+\.\d/.test(rest);
  if (ENGLISH.has(word)) {
    return (
      (rest === '' && ALONE.has(word)) ||
      /^[-./~<$"'[>|&;]|^\(\(|^\w+ in\b|^\d+\w?$|^[\w-]+\.[a-zA-Z]|^[\w-]+\/|;\s*(do|then)\b/.test(rest) ||
      (word === 'make' && /^[\w-]+( [\w-]+=\S+)*$/.test(rest)) ||
      looksLikeCommand(rest, block)
    );
  }
  // a script, a program by its path, or a word that an option follows
  return (
    /\.(sh|py|mjs|cjs|js|ts)$/.test(word) ||
    /^(\.{1,2}\/|[~/].*\bs?bin\/|\$\w+\/.*\bs?bin\/)/.test(word) ||
    (/^[a-z][\w.-]*$/.test(word) && (/(^|\s)--?[a-z]|\S \\$/.test(rest) || /-cli$/.test(word))) ||
    // bower install x
    (/^[a-z][\w.-]*$/.test(word) &&
      /^(install|uninstall|login|init|deploy|publish|serve)(\s+[\w@./-]+)*$/.test(rest)) ||
    // a name that elsewhere in the block is followed by an option
    (/^[a-z][\w-]*$/.test(word) && new RegExp(`^[ \\t]*${word}[ \\t](.*[ \\t])?--?[a-z]`, 'm').test(block)) ||
    // a name that is not known, and after it a command that is
    (/^[a-z][\w.-]*$/.test(word) &&
      /^(;|&&|\|\|?)/.test(rest) &&
      looksLikeCommand(rest.replace(/^\W+/, ''), block))
  );
}

/** A terminal's prompt: `$`, `(env) $`, `me@host:~/arc$`, `[me@host arc]$`; `#` and `%` only after a host. */
const PROMPT =
  /^\s*(?:\([\w./-]+\)\s*)?(?:\[?[\w.-]+@[\w.-]+(?:[: ][^\s$#%\]>]*)?\]?\s*[$#%]|(?:bash|sh|zsh)-[\d.]+[$#]|[$❯➜])(?:\s|$)/;

const ANGLE = /^\s*>(?:\s|$)/;

/** The prompt that a block shows: a terminal's, or `>` where every line has it. */
function promptOf(block: string): RegExp | undefined {
  const lines = block.split('\n').filter((line) => line.trim() !== '');
  if (lines.some((line) => PROMPT.test(line))) return PROMPT;
  return lines.length > 0 && lines.every((line) => ANGLE.test(line)) ? ANGLE : undefined;
}

/** True where a block shows the prompts of a terminal. */
export function hasPrompts(block: string): boolean {
  return promptOf(block) !== undefined;
}

/** True where bash would wait for another line: a continued line, an open quote, loop or here-document. */
function isOpen(text: string): boolean {
  if (/(^|[^\\])(\\\\)*\\$/.test(text)) return true;
  const { error, stderr } = spawnSync('bash', ['-n', '-c', text], { encoding: 'utf8', env: { LC_ALL: 'C' } });
  if (error !== undefined) {
    throw new WriteupError(
      `bash is needed to read the commands of a write-up, and it does not start: ${error.message}.`,
    );
  }
  return /unexpected end of file|unexpected EOF|delimited by end-of-file/.test(stderr);
}

/**
 * Takes a bash block apart: each command with the comments right above it, continued lines, here-documents and
 * loops whole; lines that only a program can have printed are results. Where a block shows prompts (`$ …`),
 * only what follows a prompt is a command.
 */
export function parseShell(block: string): ShellPart[] {
  const lines = block.replace(/\r\n/g, '\n').split('\n');
  const prompt = promptOf(block);
  const prompted = prompt !== undefined;
  const parts: ShellPart[] = [];
  let comments: string[] = [];
  let results: string[] = [];

  const endResults = () => {
    while (results.length > 0 && results.at(-1)!.trim() === '') results.pop();
    if (results.length > 0) parts.push({ type: 'result', source: results.join('\n') });
    results = [];
  };
  const endComments = () => {
    if (comments.length > 0) parts.push({ type: 'comment', source: comments.join('\n') });
    comments = [];
  };

  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const isPrompt = prompt?.test(line) ?? false;
    let source = isPrompt ? line.replace(prompt!, '').trimStart() : line.trimStart();
    const text = source.trim();
    if (text === '') {
      // a prompt at which nothing was typed
      if (results.length > 0 && !isPrompt) results.push(line);
      else if (!isPrompt) endComments();
      continue;
    }
    if (text.startsWith('#') && isPrompt === prompted) {
      endResults();
      comments.push(text);
      continue;
    }
    if (!(prompted ? isPrompt : looksLikeCommand(line, block))) {
      endComments();
      results.push(line);
      continue;
    }
    endResults();
    while (isOpen(source) && i + 1 < lines.length) {
      const next = lines[++i]!;
      source += `\n${prompted ? next.replace(/^\s*>( |$)/, '') : next}`;
    }
    parts.push({ type: 'command', source: source.trimEnd(), comments });
    comments = [];
  }
  endResults();
  endComments();
  return parts;
}
