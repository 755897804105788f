import { join } from 'node:path';
import type { CellError, CellOutcome, CellRequest, FromEngine } from '../contract.js';
import { toMimeBundle } from '../display/bundle.js';
import { DisplayHandle } from '../display/display.js';
import { type CellCode, compileCell } from './cell-code.js';
import { endChildren, installChildren } from './children.js';
import { type Cell, cellOfPromise, currentCell, forgetInterrupted, inCell, trackCells } from './context.js';
import { describeError, plainError } from './errors.js';
import { Evaluator } from './evaluator.js';
import { installExit } from './exit.js';
import { describeValue, propertyNames } from './inspection.js';
import { installKernelGlobal, type KernelGlobal } from './kernel-global.js';
import { Modules } from './modules.js';
import { installStackTraces, trackSource } from './stack.js';
import { SourceSyntaxError, type Stripper } from './strip.js';
import { installTicks, installTimers } from './timers.js';

/** What the engine needs of the process around it. */
export interface EngineHost {
  /** Everything that leaves the engine, in order. */
  send(message: FromEngine): void;
  /** A cell begins: the output of nobody in particular is now its. */
  beginCell(id: string): void;
  /** Does something that an interrupt must not cut off. */
  critical<T>(action: () => T): T;
  /** What `import` gives instead of packages of these names. */
  builtins: Record<string, object>;
}

/** How an engine is made. */
export interface EngineOptions {
  host: EngineHost;
  strip: Stripper;
  /** The notebook, which may not exist: imports are looked for from its folder. Default `notebook.ts` in the working directory. */
  fileName?: string;
}

const nextTurn = setImmediate;

/** How a cell is ended from outside. */
type Ending = { kind: 'interrupted' } | { kind: 'exit'; code: number };

interface RunningCell extends Cell {
  /** Ends the cell without waiting for its code. */
  end(ending: Ending): void;
}

/** Runs the cells of one notebook in this thread, one after the other. One engine per process. */
export class Engine {
  readonly #host: EngineHost;
  readonly #strip: Stripper;
  readonly #evaluator = new Evaluator();
  readonly #modules: Modules;
  readonly #global: KernelGlobal;
  #running: RunningCell | undefined;
  /** Whether the synchronous part of the running cell is on the stack. */
  #isEvaluating = false;
  /** Code of earlier cells is not run again; this only waits for the one that runs. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor({ host, strip, fileName = join(process.cwd(), 'notebook.ts') }: EngineOptions) {
    this.#host = host;
    this.#strip = strip;
    trackCells();
    installStackTraces();
    installTimers();
    installTicks();
    installChildren();
    installExit((code) => this.#exit(code));
    this.#modules = new Modules({
      strip,
      critical: (action) => host.critical(action),
      builtins: host.builtins,
    });
    this.#global = installKernelGlobal(fileName, this.#modules);
    process.on('unhandledRejection', (reason, promise) => this.#lateError(reason, cellOfPromise(promise)));
    // the next cell may well await what this one has begun; Node would print a warning about its own flags
    process.on('rejectionHandled', () => {});
    process.on('uncaughtException', (error) => this.#lateError(error, currentCell()));
  }

  /** Runs a cell after those that were given before. The outcome is never a rejection. */
  run(id: string, request: CellRequest): Promise<CellOutcome> {
    const outcome = this.#queue.then(() => this.#runNow(id, request));
    this.#queue = outcome;
    return outcome;
  }

  /** The cell that runs. */
  get running(): Cell | undefined {
    return this.#running;
  }

  /** Gives up a cell, after an interrupt: it counts as ended, and what it left behind stops. */
  abandon(id: string): void {
    forgetInterrupted();
    this.#modules.renewUnfinished();
    if (this.#running?.id !== id) return;
    this.#running.end({ kind: 'interrupted' });
    endChildren(this.#running);
  }

  /** Names below a live value, for completion; see the contract. */
  properties(expression: string): { name: string; kind: string }[] {
    return propertyNames(this.#evaluator, expression);
  }

  /** A live value in words; see the contract. */
  describe(expression: string): string | undefined {
    return describeValue(this.#evaluator, expression);
  }

  async #runNow(id: string, { code, name }: CellRequest): Promise<CellOutcome> {
    let end!: (ending: Ending) => void;
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    const cell: RunningCell = {
      id,
      name,
      abandoned: false,
      end: (ending) => {
        cell.abandoned = true;
        end(ending);
      },
    };
    this.#running = cell;
    this.#host.beginCell(id);
    try {
      const outcome = await Promise.race([
        ended.then((ending) => this.#endedOutcome(cell, ending)),
        this.#evaluate(cell, code),
      ]);
      // a cell whose synchronous code was cut off has an ending on the way
      return outcome ?? this.#endedOutcome(cell, await ended);
    } catch (error) {
      return { status: 'error', ...describeError(error) };
    } finally {
      this.#running = undefined;
    }
  }

  /** The outcome of a cell, or undefined where it was terminated. */
  async #evaluate(cell: Cell, source: string): Promise<CellOutcome | undefined> {
    let code: CellCode;
    // known by its name before it can be run, so that a syntax error can show the line
    const url = `arclab-cell:${cell.name}`;
    const tracked = { name: cell.name, source, original: (place: { line: number; column: number }) => place };
    trackSource(url, tracked);
    try {
      code = this.#host.critical(() => compileCell(source, cell.name, this.#strip));
    } catch (error) {
      if (!(error instanceof SourceSyntaxError)) throw error;
      return { status: 'error', ...describeError(error) };
    }
    tracked.original = code.original;
    if (code.imports.length > 0) {
      const imported = await inCell(cell, () =>
        this.#modules.importForCell(code, cell.name, this.#global.fileName),
      );
      if ('error' in imported) return { status: 'error', ...imported.error };
      this.#global.imported = imported.bindings;
    }
    // an interrupt may drop the microtasks that are queued, and none of them shall be the kernel's
    await new Promise(nextTurn);
    // an interrupt may come before the code begins, which nobody would stop any more
    if (cell.abandoned) return undefined;
    const evaluation = inCell(cell, () => {
      this.#isEvaluating = true;
      try {
        return this.#evaluator.evaluate(`${code.expression}\n//# sourceURL=${url}`);
      } finally {
        this.#isEvaluating = false;
      }
    });
    const evaluated = await evaluation;
    if (evaluated === 'terminated') return undefined;
    if ('thrown' in evaluated) return { status: 'error', ...describeError(evaluated.thrown) };
    const { value } = evaluated;
    // `display(x)` has shown all that is to be seen
    if (!code.hasResult || value === undefined || value instanceof DisplayHandle) return { status: 'ok' };
    const data = await inCell(cell, () => toMimeBundle(value));
    return { status: 'ok', result: { data, metadata: {} } };
  }

  #endedOutcome(cell: Cell, ending: Ending): CellOutcome {
    if (ending.kind === 'interrupted') {
      return { status: 'error', ...plainError('KernelInterrupted', `${cell.name} was interrupted`) };
    }
    const text = `process.exit(${ending.code}) ended ${cell.name}; the kernel and its values are still there`;
    if (ending.code !== 0) return { status: 'error', ...plainError('ProcessExit', text) };
    const output = { type: 'stream' as const, name: 'stderr' as const, text: `${text}\n` };
    this.#host.send({ type: 'output', id: cell.id, output });
    return { status: 'ok' };
  }

  /** What `process.exit` does: the cell ends here. Never returns. */
  #exit(code: number): never {
    const running = this.#running;
    const cell = currentCell();
    if (cell !== undefined) cell.abandoned = true;
    if (running !== undefined && running === cell) {
      running.end({ kind: 'exit', code });
      if (this.#isEvaluating) this.#evaluator.terminate();
    } else if (cell !== undefined) {
      const text = `process.exit(${code}) stopped what ${cell.name} had left running\n`;
      this.#host.send({ type: 'output', id: cell.id, output: { type: 'stream', name: 'stderr', text } });
    }
    throw new ExitSignal();
  }

  #lateError(thrown: unknown, cell: Cell | undefined): void {
    // what an abandoned cell still does is what the person wanted to be rid of
    if (cell?.abandoned || thrown instanceof ExitSignal) return;
    const error: CellError = describeError(thrown);
    this.#host.send({ type: 'late-error', id: cell?.id ?? '', error });
  }
}

/** Unwinds what called `process.exit` in a callback. */
class ExitSignal extends Error {}
