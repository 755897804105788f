import { spawnSync } from 'node:child_process';
import { WriteupError } from './errors.js';

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

/** Words that begin a command in write-ups, beside scripts and paths. */
const COMMANDS = words(`
  accelerate alias apt apt-get arclab awk bash basename bzip2 cd chmod chown cmake condor_submit conda cp curl dd df
  diff dirname docker du echo env eval exec export fg git grep gunzip gzip htop jobs jq jupyter kaggle kill killall ln
  ls mamba md5sum mkdir mkfs mv nano node nohup npm npx nvidia-smi pip pip3 pkill pnpm poetry popd printf ps pushd pwd
  pytest python python3 rm rmdir rsync sbatch scp sed seq sh sha256sum shred srun ssh sudo tar tee tensorboard tmux
  torchrun tr truncate ts-node tslab tsx ulimit uniq unzip uv vim wc wget xargs xz yarn zcat zsh`);

/** Words that begin a command or a sentence: they count where something of the shell follows. */
const ENGLISH = words(`
  case cat cut date false find for function head if less make more read select set sleep sort source split tail test
  time timeout touch tree true unset until wait watch which while zip`);

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** True where a line reads like the beginning of a command and not like something that a command printed. */
export function looksLikeCommand(line: string): boolean {
  const text = line.trim().replace(/^[({]\s*/, '');
  // variables set before a command, or alone: `X=1`, `CUDA_VISIBLE_DEVICES=0 python …`
  if (/^[A-Za-z_]\w*=("[^"]*"|'[^']*'|\S*)(\s|;|$)/.test(text)) return true;
  const word = /^[^\s;|&()<>]+/.exec(text)?.[0] ?? '';
  const rest = text.slice(word.length).trimStart();
  // `python: 3.12` is a result
  if (COMMANDS.has(word)) return !/^[:=]/.test(rest);
  if (ENGLISH.has(word)) {
    return (
      /^$|^[-./~<$"'[>|&;]|^\(\(|^\w+ in\b|^\d+\w?$|^[\w-]+\.\w+|^[\w-]+\/|;\s*(do|then)\b/.test(rest) ||
      looksLikeCommand(rest)
    );
  }
  // a script, a program by its path, or a word that an option follows
  return (
    /\.(sh|py|mjs|cjs|js|ts)$/.test(word) ||
    /^(\.{1,2}\/|\/.*\bs?bin\/)/.test(word) ||
    (/^[a-z][\w.-]*$/.test(word) && /(^|\s)--?[a-z]/.test(rest))
  );
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
  const prompted = lines.some((line) => /^\s*(\([\w./-]+\)\s*)?\$ /.test(line));
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
    const text = line.trim();
    if (text === '') {
      if (results.length > 0) results.push(line);
      else endComments();
      continue;
    }
    if (text.startsWith('#') && !prompted) {
      endResults();
      comments.push(text);
      continue;
    }
    const isCommand = prompted ? /^\s*(\([\w./-]+\)\s*)?\$ /.test(line) : looksLikeCommand(line);
    if (!isCommand) {
      endComments();
      results.push(line);
      continue;
    }
    endResults();
    let source = prompted ? line.replace(/^\s*(\([\w./-]+\)\s*)?\$ /, '') : line.trimStart();
    while (isOpen(source) && i + 1 < lines.length) source += `\n${lines[++i]!}`;
    parts.push({ type: 'command', source: source.trimEnd(), comments });
    comments = [];
  }
  endResults();
  endComments();
  return parts;
}

/** The words of a simple command, quotes removed, continued lines joined. */
export function shellWords(source: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < source.length; i++) {
    const c = source[i]!;
    if (quote !== undefined) {
      if (c === quote) quote = undefined;
      else if (c === '\\' && quote === '"' && /["\\$`]/.test(source[i + 1] ?? '')) word += source[++i]!;
      else word += c;
    } else if (c === '\\') {
      i++;
      if (source[i] !== '\n') word = (word ?? '') + (source[i] ?? '');
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** What commands destroy; a write-up is imported to be run again, and these are not what one wants again. */
const DESTRUCTIVE: readonly RegExp[] = [
  /(^|[;&|(`"'\n]|\b(sudo|xargs|then|do|else|exec)\s|-exec\s)\s*(rm|rmdir|shred|mkfs(\.\w+)?|dd|truncate|unlink)(\s|$)/,
  /\bgit\s+(clean|reset\s+--hard|checkout\s+(--\s|\.)|restore|push\s+.*(-f\b|--force))/,
  /\bfind\b.*\s-delete\b/s,
  /\brsync\b.*\s--delete/s,
  /\b(kill|killall|pkill|shutdown|reboot)\s/,
];

/** True for a command that deletes or overwrites what a rerun could not bring back. */
export function isDestructive(command: string): boolean {
  return DESTRUCTIVE.some((pattern) => pattern.test(command));
}
