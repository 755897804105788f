import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { packageRoot } from '../common/files.js';
import { LIVE_VARIABLE } from '../common/live-line.js';
import { shellWord } from '../common/shell-word.js';
import { ErrorLines, type SplitErrors } from './error-lines.js';
import { WriteupError } from './errors.js';

/** What one command leaves to the next: as in a terminal, its folder and its variables. */
interface ShellState {
  cwd: string;
  env: NodeJS.ProcessEnv;
}

let state: ShellState | undefined;

/** A value as one word of the shell. */
const quoted = (value: unknown): string => shellWord(String(value));

function commandOf(strings: TemplateStringsArray | string, values: readonly unknown[]): string {
  if (typeof strings === 'string') return strings;
  return strings.raw.reduce((text, part, i) => text + [values[i - 1]].flat().map(quoted).join(' ') + part);
}

/** `arclab` is this very package's command, whatever else is installed. */
function arclabFunction(): NodeJS.ProcessEnv {
  const cli = join(packageRoot(), 'dist', 'arclab.cjs');
  return existsSync(cli)
    ? { 'BASH_FUNC_arclab%%': `() { ${quoted(process.execPath)} ${quoted(cli)} "$@"; }` }
    : {};
}

/** Reads what the wrapper wrote at its end: the folder and every variable, separated by zero bytes. */
function stateFrom(report: string): ShellState | undefined {
  const [cwd, ...variables] = report.split('\0').filter((part) => part !== '');
  if (cwd === undefined || !existsSync(cwd)) return undefined;
  const env: NodeJS.ProcessEnv = {};
  for (const variable of variables) {
    const equals = variable.indexOf('=');
    if (equals > 0) env[variable.slice(0, equals)] = variable.slice(equals + 1);
  }
  return { cwd, env };
}

/** Waits for the end of a child that is stopped together with us. */
function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const stop = () => child.kill('SIGINT');
    process.once('SIGINT', stop);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('SIGINT', stop);
      resolve(signal === null ? `exit code ${code}` : signal);
    });
  });
}

/**
 * Runs a command in bash and shows what it prints, as a terminal would: `cd` and variables that it sets hold
 * for the next one, and `arclab` is this package. What it writes on its standard error is shown as output, but for
 * lines that report an error. Values put into the template are quoted as one word each;
 * an array gives one word per element.
 *
 * @example await sh`arclab infer-evaluate ${checkpoint} --predictions_per_task ${8}`;
 * @throws {WriteupError} when the command fails, with its last line on the standard error.
 */
export async function sh(strings: TemplateStringsArray | string, ...values: unknown[]): Promise<void> {
  const command = commandOf(strings, values);
  const { cwd, env } = state ?? { cwd: process.cwd(), env: process.env };
  // variables that a command sets are exported, and reported on a descriptor of their own at the end
  const script = `set -a; trap '{ printf "%s\\0" "$PWD"; env -0; } >&3' EXIT\n${command}\n`;
  const child = spawn('bash', ['-c', script], {
    cwd,
    env: { ...env, ...arclabFunction(), NO_COLOR: '1', FORCE_COLOR: undefined, [LIVE_VARIABLE]: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let errors = '';
  let report = '';
  // decoded here, so that no character is cut in two between chunks
  const follow = (stream: Readable, take: (text: string) => void) =>
    stream.setEncoding('utf8').on('data', take);
  follow(child.stdout!, (text) => process.stdout.write(text));
  // progress is no error: a notebook would show all of a training in red
  const split = new ErrorLines();
  const show = ({ progress, errors: lines }: SplitErrors) => {
    if (progress !== '') process.stdout.write(progress);
    if (lines !== '') process.stderr.write(lines);
  };
  follow(child.stderr!, (text) => {
    errors = (errors + text).slice(-2000);
    show(split.take(text));
  });
  follow(child.stdio[3] as Readable, (text) => {
    report += text;
  });
  const end = await ended(child).catch((error: Error) => {
    throw new WriteupError(`bash does not start: ${error.message}. The commands of a write-up need it.`);
  });
  show(split.end());
  state = stateFrom(report) ?? state;
  if (end !== 'exit code 0') {
    const line =
      errors
        .trim()
        .split(/[\r\n]+/)
        .at(-1) ?? '';
    const first = command.trim().split('\n')[0]!;
    throw new WriteupError(`${first} ended with ${end}${line === '' ? '' : `: ${line}`}`);
  }
}
