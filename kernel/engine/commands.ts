/** What `!command` and `%name` lines do. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { tableText } from '../display/table.js';

/** A variable of the notebook. */
export interface NotebookVariable {
  name: string;
  value: unknown;
}

/** The commands of a kernel, for the code that the lines become. */
export interface Commands {
  run(name: string, rest: string): unknown;
  now(): number;
  /** Says how long it took since a time, and hands a value on. */
  timed<T>(began: number, value: T): T;
  begin(): void;
  end(): void;
  /** What `%load` has loaded since it was last asked: the client puts it in place of the cell. */
  takeLoaded(): string | undefined;
}

/** @param variables those that cells have declared */
export function createCommands(variables: () => NotebookVariable[]): Commands {
  let loaded: string | undefined;
  const timers: number[] = [];
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  const known: Record<string, (rest: string) => unknown> = {
    sh: runInShell,
    who: () => say(whoText(variables())),
    load: (rest) => {
      loaded = readFileSync(folderOf(rest), 'utf8');
    },
    cd: (rest) => {
      process.chdir(folderOf(rest || '~'));
      say(process.cwd());
    },
    pwd: () => say(process.cwd()),
    env: (rest) => setOrSay(rest, say),
    time: () => say('%time EXPRESSION says how long the expression takes'),
  };
  const timed = <T>(began: number, value: T): T => {
    say(`time: ${duration(performance.now() - began)}`);
    return value;
  };
  return {
    run: (name, rest) => {
      const command = Object.hasOwn(known, name) ? known[name] : undefined;
      if (command === undefined) {
        const names = Object.keys(known).map((one) => `%${one}`);
        throw new SyntaxError(
          `%${name} is not known; known are ${names.join(', ')}, and !command for the shell`,
        );
      }
      return command(rest);
    },
    now: () => performance.now(),
    timed,
    begin: () => void timers.push(performance.now()),
    end: () => void timed(timers.pop() ?? performance.now(), undefined),
    takeLoaded: () => {
      const text = loaded;
      loaded = undefined;
      return text;
    },
  };
}

/** Runs a command while its output appears; one that fails prints an error and, as in IPython, does not end the cell. */
function runInShell(command: string): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (text: Buffer) => process.stdout.write(text));
    child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
    child.on('error', fail);
    child.on('close', (code, signal) => {
      if (code !== 0) process.stderr.write(`${command}: ended with ${signal ?? `exit code ${code}`}\n`);
      done();
    });
  });
}

function whoText(variables: NotebookVariable[]): string {
  if (variables.length === 0) return 'no variables';
  const rows = variables.map(({ name, value }) => {
    const text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
    return { name, type: typeOf(value), value: text.length > 80 ? `${text.slice(0, 79)}…` : text };
  });
  return tableText({ rows });
}

function typeOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  const { name } = (Object.getPrototypeOf(value)?.constructor ?? {}) as { name?: string };
  return name || 'object';
}

function folderOf(path: string): string {
  return resolve(path.trim().replace(/^~(?=$|[\\/])/, homedir()));
}

function setOrSay(rest: string, say: (text: string) => void): void {
  const [, name = '', value] = /^([^=\s]*)(?:\s*[=\s]\s*(.*))?$/.exec(rest.trim()) ?? [];
  if (name === '')
    say(
      Object.entries(process.env)
        .map(([key, text]) => `${key}=${text}`)
        .join('\n'),
    );
  else if (value === undefined) say(`${name}=${process.env[name] ?? ''}`);
  else process.env[name] = value;
}

function duration(ms: number): string {
  return ms < 1000 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms / 1000).toPrecision(4))} s`;
}
