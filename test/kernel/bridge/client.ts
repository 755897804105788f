import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import type { BridgeAnswer, BridgeRequest } from '../../../kernel/bridge/serve-lines.js';
import type { CellError, CellOutcome, CellOutput, MimeBundle } from '../../../kernel/contract.js';

export const BRIDGE = fileURLToPath(new URL('../../../dist/kernel-bridge.cjs', import.meta.url));

/** What a cell has given, with the colours taken off. */
export interface Ran {
  outcome: CellOutcome;
  outputs: CellOutput[];
  stdout: string;
  stderr: string;
  /** The result's MIME bundle. */
  data: MimeBundle | undefined;
  /** The result as text. */
  text: string | undefined;
  /** The traceback of an error. */
  traceback: string;
}

/** A spawned kernel, talked to as any program would. */
export class Kernel {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ready: Promise<void>;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** Everything that the bridge has said. */
  readonly answers: BridgeAnswer[] = [];
  readonly lateErrors: { id: string; error: CellError }[] = [];
  /** What came on the process's own standard error. */
  log = '';
  #count = 0;
  readonly #waiting: ((answer: BridgeAnswer) => void)[] = [];
  readonly #failing: ((error: Error) => void)[] = [];

  constructor(
    folder: string,
    { script = BRIDGE, env = {} }: { script?: string; env?: NodeJS.ProcessEnv } = {},
  ) {
    this.process = spawn(process.execPath, [script], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.exited = new Promise((resolve) => {
      this.process.on('exit', (code, signal) => {
        resolve(signal ?? code);
        const last = this.answers.slice(-3).map((answer) => JSON.stringify(answer));
        const error = new Error(`the kernel ended (${signal ?? code}): ${[...last, this.log].join('\n')}`);
        for (const fail of this.#failing.splice(0)) fail(error);
      });
    });
    this.process.stderr.on('data', (text) => {
      this.log += text;
    });
    this.ready = this.until((answer) => answer.type === 'ready').then(() => undefined);
    this.ready.catch(() => {});
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as BridgeAnswer;
      this.answers.push(answer);
      if (answer.type === 'late-error') this.lateErrors.push(answer);
      for (const waiting of [...this.#waiting]) waiting(answer);
    });
  }

  /** The next answer that fulfils a condition. */
  until(test: (answer: BridgeAnswer) => boolean): Promise<BridgeAnswer> {
    const answer = new Promise<BridgeAnswer>((resolve, reject) => {
      this.#failing.push(reject);
      const waiting = (answer: BridgeAnswer) => {
        if (!test(answer)) return;
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#failing.splice(this.#failing.indexOf(reject), 1);
        resolve(answer);
      };
      this.#waiting.push(waiting);
    });
    // a test that ends the kernel does not wait for what it had asked
    answer.catch(() => {});
    return answer;
  }

  send(request: BridgeRequest): void {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
  }

  /** Starts a cell; its name is `cell-<id>.ts`. */
  start(code: string): { id: string; done: Promise<Ran> } {
    const id = String(++this.#count);
    const outputs: CellOutput[] = [];
    const done = this.until((answer) => {
      if (answer.type === 'output' && answer.id === id) outputs.push(answer.output);
      return answer.type === 'done' && answer.id === id;
    }).then((answer) => collect((answer as { outcome: CellOutcome }).outcome, outputs));
    done.catch(() => {});
    this.send({ type: 'execute', id, request: { code, name: `cell-${id}.ts` } });
    return { id, done };
  }

  run(code: string): Promise<Ran> {
    return this.start(code).done;
  }

  /** Runs a cell that must succeed and gives its result as text. */
  async value(code: string): Promise<string | undefined> {
    const { outcome, traceback, text } = await this.run(code);
    expect(outcome.status, traceback).toBe('ok');
    return text;
  }

  /** Runs a cell that must fail. */
  async failure(code: string): Promise<CellError> {
    const { outcome } = await this.run(code);
    expect(outcome.status).toBe('error');
    const { ename, evalue, traceback } = outcome as CellError;
    return { ename, evalue, traceback: traceback.map((line) => stripVTControlCharacters(line)) };
  }

  stop(): Promise<number | NodeJS.Signals | null> {
    this.process.stdin.end();
    return this.exited;
  }
}

function collect(outcome: CellOutcome, outputs: CellOutput[]): Ran {
  const stream = (name: string) =>
    outputs
      .flatMap((output) => (output.type === 'stream' && output.name === name ? [output.text] : []))
      .join('');
  const data = outcome.status === 'ok' ? outcome.result?.data : undefined;
  const text = data?.['text/plain'];
  return {
    outcome,
    outputs,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    data,
    text: text === undefined ? undefined : stripVTControlCharacters(String(text)),
    traceback: outcome.status === 'error' ? stripVTControlCharacters(outcome.traceback.join('\n')) : '',
  };
}

/** A folder with files, which is removed by `remove`. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'kernel-'));

  constructor(files: Record<string, string> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    const path = join(this.folder, name);
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  delete(name: string): void {
    rmSync(join(this.folder, name));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A kernel in a folder with these files, for all tests of a test file; it starts in `folder` of that folder. */
export function useKernel(
  files: Record<string, string> = {},
  folder = '.',
): { kernel: Kernel; project: Project } {
  const project = new Project(files);
  const kernel = new Kernel(join(project.folder, folder));
  beforeAll(() => kernel.ready);
  afterAll(async () => {
    await kernel.stop();
    project.remove();
  });
  return { kernel, project };
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
