import { join } from 'node:path';
import type { CellError, CellOutcome, CellRequest, FromEngine } from '../contract.js';
import { DisplayHandle } from '../display/display.js';
import { format } from '../display/formatters.js';
import { type CellCode, compileCell } from './cell-code.js';
import { CellImports } from './cell-imports.js';
import { type CellJob, CellLoop } from './cells.js';
import { endChildren, installChildren } from './children.js';
import { createCommands, type NotebookVariable } from './commands.js';
import {
  cellOfPromise,
  currentCell,
  forgetInterrupted,
  inCell,
  isInFirstPart,
  type LiveCell,
  trackCells,
} from './context.js';
import { createDebugView } from './debug-view.js';
import { describeError, plainError } from './errors.js';
import { Evaluator } from './evaluator.js';
import { installExit } from './exit.js';
import { describeValue, propertyNames } from './inspection.js';
import { installKernelGlobal, type KernelGlobal } from './kernel-global.js';
import { Modules } from './modules.js';
import { listenForever } from './process-events.js';
import { installStackTraces, sourceComments, trackSource } from './stack.js';
import { SourceSyntaxError, type Stripper } from './strip.js';
import { installTicks, installTimers } from './timers.js';
import { installWorkers } from './workers.js';

/** What the engine needs of the process around it. */
export interface EngineHost {
  /** Everything that leaves the engine, in order. `commit` happens with the message: both or, interrupted, none. */
  send(message: FromEngine, commit?: () => void): void;
  /** A cell begins: output without a known cell is attributed to it from now on. */
  beginCell(id: string): void;
  /** Tells the number of the request whose cell runs from now on, 0 for none. */
  showRunning(number: number): void;
  /** Whether the cell of that request is the one that was to be stopped last, be it that it has not heard of it. */
  isInterrupted(number: number): boolean;
  /** A cell was interrupted or ended by `process.exit`. */
  noteAbandoned(): void;
  /** Does something that an interrupt must not cut off. */
  critical<T>(action: () => T): T;
  /** The same for what does not end where it began. */
  enterCritical(): void;
  leaveCritical(): void;
  /** What `import` gives instead of packages of these names. */
  builtins: Record<string, object>;
  /** What `Deno` means in a cell. */
  deno: object;
}

/** How an engine is made. */
export interface EngineOptions {
  host: EngineHost;
  strip: Stripper;
  /**
   * The notebook, which may not exist: imports are looked for from its folder. Default `notebook.ts` in the working
   * directory.
   */
  fileName?: string;
}

const nextTurn = setImmediate;

/** Runs the cells of one notebook in this thread, one after the other. One engine per process. */
export class Engine {
  readonly #host: EngineHost;
  readonly #strip: Stripper;
  readonly #evaluator: Evaluator;
  readonly #modules: Modules;
  readonly #global: KernelGlobal;
  readonly #imports: CellImports;
  /** What the last cell was to declare. */
  #declared: readonly string[] = [];
  readonly #cells: CellLoop;

  constructor({ host, strip, fileName = join(process.cwd(), 'notebook.ts') }: EngineOptions) {
    this.#host = host;
    this.#strip = strip;
    this.#evaluator = new Evaluator((action) => host.critical(action));
    this.#cells = new CellLoop({
      critical: (action) => host.critical(action),
      send: (message, commit) => host.send(message, commit),
      showRunning: (number) => host.showRunning(number),
      begin: (job) => void this.#begin(job),
    });
    trackCells(host);
    installStackTraces();
    installTimers();
    installTicks();
    installChildren();
    installWorkers();
    installExit((code) => this.#exit(code));
    this.#modules = new Modules({
      strip,
      critical: (action) => host.critical(action),
      builtins: host.builtins,
    });
    this.#global = installKernelGlobal(fileName, this.#modules, {
      debug: createDebugView(strip, (code) => this.#compile(code, 'cell.ts')),
      deno: host.deno,
      commands: createCommands(() => this.#variables()),
    });
    this.#imports = new CellImports(this.#evaluator, this.#global);
    listenForever({
      unhandledRejection: (reason: unknown, promise: Promise<unknown>) =>
        this.#lateError(reason, cellOfPromise(promise)),
      // the next cell may await what this one has begun; Node would print a warning about its own flags
      rejectionHandled: () => {},
      uncaughtException: (error: Error) => this.#lateError(error, currentCell()),
    });
  }

  /**
   * Runs a cell after those that were given before; its `done` is sent when it is over. `number`, 1 or more, is that of
   * the request, and `accept` is called in the step from which on the cell is certain to be answered.
   */
  request(id: string, number: number, request: CellRequest, accept: () => void): void {
    this.#cells.request({ id, number, request, name: request.name, abandoned: false }, accept);
  }

  /** Whether a cell is not over. */
  isRunning(cell: LiveCell): boolean {
    return this.#cells.running.includes(cell as CellJob);
  }

  /**
   * Gives up a cell, after an interrupt: it counts as ended, and what it left behind stops. To be called outside of any
   * cell, as often as the interrupt is repeated; `accept` is called in the step in which the cell is over.
   */
  abandon(id: string, accept: () => void): void {
    const cut = this.#host.critical(() => {
      this.#modules.renewUnfinished();
      return forgetInterrupted();
    });
    const { running } = this.#cells;
    // one of another lane that was in the way: its code was terminated, too, and would never say that it has ended
    const other = running.find((job) => job === cut && job.id !== id);
    if (other !== undefined) this.#interrupt(other);
    const asked = running.find((job) => job.id === id);
    if (asked === undefined) this.#host.critical(accept);
    else this.#interrupt(asked, accept);
  }

  #interrupt(job: CellJob, alongside?: () => void): void {
    this.#giveUp(job);
    this.#cells.end(job, interrupted(job), alongside);
  }

  /** Names below a live value, for completion; see the contract. */
  properties(expression: string): { name: string; kind: string }[] {
    return propertyNames(this.#evaluator, expression);
  }

  /** A live value in words; see the contract. */
  describe(expression: string): string | undefined {
    return describeValue(this.#evaluator, expression);
  }

  async #begin(job: CellJob): Promise<void> {
    const outcome = await this.#outcomeOf(job);
    try {
      this.#cells.end(job, outcome);
    } catch (error) {
      // one that cannot be sent
      this.#cells.end(job, { status: 'error', ...describeError(error) });
    }
  }

  async #outcomeOf(job: CellJob): Promise<CellOutcome> {
    let outcome: CellOutcome | undefined;
    try {
      this.#host.beginCell(job.id);
      outcome = await this.#evaluate(job, job.request.code);
    } catch (error) {
      outcome = { status: 'error', ...describeError(error) };
    }
    // what an interrupt has stopped, such as a child process, may make the code fail before it is terminated itself
    const failed = outcome?.status === 'error' && this.#host.isInterrupted(job.number);
    if (outcome !== undefined && !failed && !job.abandoned) return outcome;
    // `process.exit`, which ends the cell in the turn that comes, or an interrupt, which has done so or is about to
    await new Promise(nextTurn);
    this.#giveUp(job);
    return interrupted(job);
  }

  /** Stops what a cell has left behind. */
  #giveUp(cell: LiveCell): void {
    cell.abandoned = true;
    this.#host.noteAbandoned();
    endChildren(cell);
  }

  /** The outcome of a cell, or undefined where it was terminated. */
  async #evaluate(cell: LiveCell, source: string): Promise<CellOutcome | undefined> {
    let code: CellCode;
    // known by its name before it can be run, so that a syntax error can show the line
    const url = `arclab-cell:${cell.name}`;
    const tracked = { name: cell.name, source, original: (place: { line: number; column: number }) => place };
    trackSource(url, tracked);
    try {
      code = this.#host.critical(() => this.#compile(source, cell.name));
    } catch (error) {
      if (!(error instanceof SourceSyntaxError)) throw error;
      return { status: 'error', ...describeError(error) };
    }
    tracked.original = code.original;
    this.#host.critical(() => {
      // what a cell that still runs declares has no value yet, and is not to have another one
      const isAlone = this.#cells.running.length === 1;
      if (isAlone) this.#evaluator.restoreGlobals(this.#declared);
      this.#declared = isAlone ? code.declares : [...this.#declared, ...code.declares];
      this.#imports.refresh();
    });
    if (code.imports.length > 0) {
      const imported = await inCell(cell, () =>
        this.#modules.importForCell(code, cell.name, this.#global.fileName),
      );
      if ('error' in imported) return { status: 'error', ...imported.error };
      this.#host.critical(() => this.#imports.declare(imported.names));
    }
    // an interrupt may drop the microtasks that are queued, and none of them shall be the kernel's
    await new Promise(nextTurn);
    // an interrupt may come before the code begins, which would then not be stopped
    if (cell.abandoned) return undefined;
    const evaluated = await inCell(cell, () =>
      this.#evaluator.evaluate(code.expression + sourceComments(url)),
    );
    if (evaluated === 'terminated') return undefined;
    if ('thrown' in evaluated) return { status: 'error', ...describeError(evaluated.thrown) };
    const { value } = evaluated;
    // `display(x)` has shown all that is to be seen
    const nextInput = this.#global.commands?.takeLoaded();
    if (!code.hasResult || value === undefined || value instanceof DisplayHandle) {
      return { status: 'ok', nextInput };
    }
    this.#global.last = value;
    const data = await inCell(cell, async () => format(value));
    return { status: 'ok', result: { data, metadata: {} }, nextInput };
  }

  /** What cells have declared, with the values that it has now. */
  #variables(): NotebookVariable[] {
    return this.#evaluator.lexicalNames().flatMap((name) => {
      const found = this.#evaluator.peek(name);
      return found === undefined ? [] : [{ name, value: found.value }];
    });
  }

  #compile(source: string, name: string): CellCode {
    return compileCell(source, name, this.#strip, () => this.#modules.stripOptions(this.#global.fileName));
  }

  /** What `process.exit` does: the cell ends here. Never returns. */
  #exit(code: number): never {
    const cell = currentCell();
    const running = this.#cells.running.find((job) => job === cell);
    if (cell !== undefined) cell.abandoned = true;
    this.#host.noteAbandoned();
    if (running !== undefined) {
      // not now: what calls this is about to be terminated
      nextTurn(() => this.#endByExit(running, code));
      if (isInFirstPart()) this.#evaluator.terminate();
    } else if (cell !== undefined) {
      const text = `process.exit(${code}) stopped what ${cell.name} had left running\n`;
      this.#host.send({ type: 'output', id: cell.id, output: { type: 'stream', name: 'stderr', text } });
    }
    throw new ExitSignal();
  }

  #endByExit(cell: CellJob, code: number): void {
    forgetInterrupted();
    const text = `process.exit(${code}) ended ${cell.name}; the kernel and its values are still there`;
    if (code !== 0) {
      this.#cells.end(cell, { status: 'error', ...plainError('ProcessExit', text) });
      return;
    }
    const output = { type: 'stream' as const, name: 'stderr' as const, text: `${text}\n` };
    if (this.isRunning(cell)) this.#host.send({ type: 'output', id: cell.id, output });
    this.#cells.end(cell, { status: 'ok' });
  }

  #lateError(thrown: unknown, cell: LiveCell | undefined): void {
    // what an abandoned cell still does was to be stopped
    if (cell?.abandoned || thrown instanceof ExitSignal) return;
    const error: CellError = describeError(thrown);
    this.#host.send({ type: 'late-error', id: cell?.id ?? '', error });
  }
}

function interrupted(cell: LiveCell): CellOutcome {
  return { status: 'error', ...plainError('KernelInterrupted', `${cell.name} was interrupted`) };
}

/** Unwinds what called `process.exit` in a callback. */
class ExitSignal extends Error {}
