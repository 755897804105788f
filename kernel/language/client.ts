import { Worker } from 'node:worker_threads';
import type { CellRequest } from '../contract.js';
import type { Completeness, Completions, Language } from './language.js';
import type { LanguageAnswer, Question } from './messages.js';

export interface LanguageOptions {
  /** Where the cells are, as far as imports are concerned. */
  folder: string;
  /** The bundle of `worker.ts`. */
  workerPath: string;
}

/** Milliseconds after which a question is answered with nothing; the first one loads TypeScript. */
const PATIENCE = 30_000;
/** MB of the language thread's heap; when it needs more it is started anew. */
const HEAP_LIMIT = 1024;
/** Starts after a failure; a thread that always fails is not started for ever. */
const RESTARTS = 3;

interface Check {
  check: string;
  resolve(answer: LanguageAnswer): void;
}

/** The language service on a thread of its own, which starts with the first question. */
export class LanguageClient implements Language {
  #options: LanguageOptions;
  #worker: Worker | undefined;
  #waiting = new Map<number, (answer: LanguageAnswer) => void>();
  #asked = 0;
  #failures = 0;
  /** Those that the thread knows, or has to be told when it starts. */
  #cells: CellRequest[] = [];
  /** What waits for an idle moment, in order. */
  #held: ({ note: CellRequest } | Check)[] = [];
  /** Checks whose turn comes one by one, so that a question has only one of them before it. */
  #checks: Check[] = [];
  #checking = false;

  constructor(options: LanguageOptions) {
    this.#options = options;
  }

  note(cell: CellRequest): void {
    this.#held.push({ note: cell });
  }

  check({ name }: CellRequest): Promise<string[]> {
    return new Promise((resolve) => {
      this.#held.push({ check: name, resolve: (answer) => resolve((answer as string[] | undefined) ?? []) });
    });
  }

  async checkNow({ name }: CellRequest): Promise<string[]> {
    return ((await this.#ask({ type: 'check', name })) as string[] | undefined) ?? [];
  }

  flush(): void {
    for (const entry of this.#held.splice(0)) {
      if ('check' in entry) {
        this.#checks.push(entry);
      } else {
        if (this.#worker) this.#send({ type: 'add', ...entry.note });
        this.#cells.push(entry.note);
      }
    }
    if (!this.#checking) void this.#checkAll();
  }

  async #checkAll(): Promise<void> {
    this.#checking = true;
    for (let next = this.#checks.shift(); next !== undefined; next = this.#checks.shift()) {
      next.resolve(await this.#post({ type: 'check', name: next.check }));
    }
    this.#checking = false;
  }

  async complete(code: string, offset: number): Promise<Completions> {
    const answer = (await this.#ask({ type: 'complete', code, offset })) as Completions | undefined;
    return answer ?? { start: offset, end: offset, items: [], quoted: false };
  }

  async inspect(code: string, offset: number): Promise<string | undefined> {
    return (await this.#ask({ type: 'inspect', code, offset })) as string | undefined;
  }

  async isComplete(code: string): Promise<Completeness> {
    // it is about this text alone: no check of earlier cells goes before it
    const answer = (await this.#post({ type: 'completeness', code })) as Completeness | undefined;
    return answer ?? { status: 'unknown' };
  }

  close(): void {
    void this.#worker?.terminate();
    this.#failures = RESTARTS;
  }

  #send(question: Question): number {
    const id = this.#asked++;
    this.#worker!.postMessage({ id, question });
    return id;
  }

  /** Asks a question after every cell that was noted. */
  #ask(question: Question): Promise<LanguageAnswer> {
    this.flush();
    return this.#post(question);
  }

  #post(question: Question): Promise<LanguageAnswer> {
    if (!this.#start()) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const id = this.#send(question);
      const end = (answer: LanguageAnswer) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(end, PATIENCE, undefined);
      this.#waiting.set(id, end);
    });
  }

  /** @returns whether there is a thread to ask */
  #start(): boolean {
    if (this.#worker) return true;
    if (this.#failures >= RESTARTS) return false;
    const { folder, workerPath } = this.#options;
    const worker = new Worker(workerPath, {
      workerData: { folder },
      // the person's flags, such as --import, are for their code
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT, maxYoungGenerationSizeMb: 8 },
    });
    worker.unref();
    worker.on('message', ({ id, answer }: { id: number; answer: LanguageAnswer }) =>
      this.#waiting.get(id)?.(answer),
    );
    worker.on('error', () => {
      this.#failures++;
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const end of [...this.#waiting.values()]) end(undefined);
    });
    this.#worker = worker;
    for (const cell of this.#cells) this.#send({ type: 'add', ...cell });
    return true;
  }
}
