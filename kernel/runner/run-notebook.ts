import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../../src/common/errors.js';
import { assertWritable } from '../../src/common/files.js';
import { type NotebookDocument, parseNotebook, type ReadNotebook, readNotebook } from '../notebook/index.js';
import { assertPair, isScript, pairOf, scriptToNotebook } from '../notebook/percent/convert.js';
import { type CellFailure, CellRunner } from './cell-runner.js';
import { KernelClient } from './kernel-client.js';
import { type KernelSpec, resolveKernel } from './kernelspecs.js';
import { NotebookFile } from './notebook-file.js';
import { injectParameters, type Parameter } from './parameters.js';
import { type CellRange, mayFail, type PlannedCell, planCells } from './plan.js';

/** Seconds between two looks whether a long cell has output that is not in the file yet. */
const SAVE_EVERY = 30;

/** What is run, and how. */
export interface RunOptions {
  /** The notebook, or a script in the percent format. */
  path: string;
  /** Where it is written with its outputs (default: in place; for `a.ts`, `a.ipynb`). */
  output?: string;
  /** Values for a cell tagged `injected-parameters`. */
  parameters?: readonly Parameter[];
  /** `arclab`, `tslab` or what Jupyter knows (default: what the notebook names, and `arclab` for `tslab`). */
  kernel?: string;
  /** Seconds that a cell may take (default: no limit). */
  timeout?: number;
  /** Go on after a cell that failed. */
  allowErrors?: boolean;
  /** Only these cells (default: all). */
  cells?: CellRange;
  /** Keep what an earlier run has finished; its cells are run again only to rebuild what they left in the kernel. */
  resume?: boolean;
  /** Called as the run goes on. */
  onEvent?: (event: RunEvent) => void;
}

/** A cell in the words of its person: its position from 1 (0: put in by this run), and its first line. */
export interface CellPlace {
  number: number;
  /** Cells of the notebook, text included. */
  total: number;
  title: string;
  action: PlannedCell['action'];
}

/** What a run reports. */
export type RunEvent =
  | { type: 'note'; text: string }
  | { type: 'start'; cell: CellPlace }
  | { type: 'end'; cell: CellPlace; seconds: number; failure?: CellFailure }
  /** A cell caused an error after its end. */
  | { type: 'late'; cell: CellPlace; failure: CellFailure };

/** How a run ended. */
export interface RunResult {
  /** The file with the outputs. */
  path: string;
  /** Cells that were run. */
  ran: number;
  seconds: number;
  /** Errors in the order in which they came; without `allowErrors` the run stopped after the first. */
  failures: { cell: CellPlace; failure: CellFailure }[];
}

/** A run of a notebook, cell by cell, in a kernel of its own. */
export class NotebookRun {
  #options: RunOptions;
  #abort = new AbortController();
  #runner: CellRunner | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Interrupts the running cell and ends the run after it; a second time, ends the kernel. What is there is saved. */
  interrupt(): void {
    if (this.#abort.signal.aborted) this.#runner?.kill();
    this.#abort.abort();
    this.#runner?.interrupt('interrupt');
  }

  /**
   * Runs the cells and saves the notebook after each of them.
   * @throws {UserError} when it cannot begin, or when the file can no longer be written
   */
  async run(): Promise<RunResult> {
    const { path, onEvent = () => {} } = this.#options;
    const output = this.#output;
    const note = (text: string) => onEvent({ type: 'note', text });
    const started = performance.now();
    const { document, upgradedFrom } = this.#read();
    const spec = resolveKernel(this.#kernelName(document), dirname(resolve(path)));
    assertWritable(output);
    if (upgradedFrom) note(`the notebook is upgraded from nbformat ${upgradedFrom} to 4.5`);
    const { planned, total } = await this.#plan(document, spec, note);
    const file = new NotebookFile(output, note);
    const result = (failures: RunResult['failures'], ran: number): RunResult => ({
      path: file.path,
      ran,
      seconds: (performance.now() - started) / 1000,
      failures,
    });
    if (!planned.some(({ action }) => action === 'run')) {
      note(this.#options.resume ? 'all cells have finished already' : 'there are no cells to run');
      file.write(document.text);
      return result([], 0);
    }

    const client = await KernelClient.start(spec, dirname(resolve(path)), this.#abort.signal);
    const runner = new CellRunner(client, document, this.#options.timeout);
    this.#runner = runner;
    const failures: RunResult['failures'] = [];
    let ran = 0;
    const save = () => {
      runner.putOutputs();
      file.write(document.text);
    };
    // outputs of an older run would look as if this one had made them
    for (const { index, action } of planned) {
      if (action === 'run') document.setRun(index, { outputs: [], executionCount: null });
    }
    const placeOf = ({ index, number, action }: PlannedCell): CellPlace => {
      const lines = document.cells[index]!.source.split('\n');
      return { number, total, title: lines.find((line) => line.trim() !== '')!.trim(), action };
    };
    const takeLateFailures = () => {
      for (const { index, failure } of runner.takeLateFailures()) {
        if (mayFail(document.cells[index]!)) continue;
        const cell = placeOf(planned.find((one) => one.index === index)!);
        onEvent({ type: 'late', cell, failure });
        failures.push({ cell, failure });
      }
    };
    const autosave = setInterval(() => runner.hasNews && save(), SAVE_EVERY * 1000);
    try {
      for (const one of planned) {
        const cell = document.cells[one.index]!;
        const place = placeOf(one);
        onEvent({ type: 'start', cell: place });
        const { failure, seconds, isIncomplete } = await runner.run(one.index, one.action);
        ran++;
        save();
        onEvent({ type: 'end', cell: place, seconds, ...(failure && { failure }) });
        if (isIncomplete)
          note('the kernel never said that the output of this cell is complete: some may be lost');
        takeLateFailures();
        if (failure && !(failure.kind === 'error' && mayFail(cell))) failures.push({ cell: place, failure });
        const goesOn = this.#options.allowErrors && client.process.isAlive && failure?.kind !== 'interrupt';
        if (failures.length > 0 && !goesOn) break;
        if (this.#abort.signal.aborted) {
          failures.push({ cell: place, failure: runner.interrupted() });
          break;
        }
      }
    } finally {
      clearInterval(autosave);
      await client.close();
      takeLateFailures();
      if (runner.hasNews) save();
    }
    return result(failures, ran);
  }

  /** Where the outputs go. */
  get #output(): string {
    const { path, output } = this.#options;
    return output ?? (isScript(path) ? pairOf(path) : path);
  }

  /** The notebook; of a script the one that it makes, with the outputs that its other half has already. */
  #read(): ReadNotebook {
    const { path, output } = this.#options;
    if (!isScript(path)) return readNotebook(path);
    const target = this.#output;
    if (isScript(target)) throw new UserError(`${target}: expected a name that ends in .ipynb`);
    if (output === undefined) assertPair(path, target, false);
    return parseNotebook(scriptToNotebook(path, target, target === pairOf(path)), path);
  }

  /** What was asked for, or what the notebook names; notebooks made for tslab run on ours. */
  #kernelName({ metadata }: NotebookDocument): string {
    if (this.#options.kernel !== undefined) return this.#options.kernel;
    const name = (metadata.kernelspec as { name: string } | undefined)?.name;
    if (name === undefined) {
      throw new UserError(
        `${this.#options.path}: the notebook names no kernel; --kernel chooses one, such as arclab`,
      );
    }
    return name === 'tslab' ? 'arclab' : name;
  }

  async #plan(document: NotebookDocument, spec: KernelSpec, note: (text: string) => void) {
    const { parameters = [], cells: range, resume, allowErrors } = this.#options;
    const output = this.#output;
    const total = document.cells.length;
    const injection =
      parameters.length > 0 ? await injectParameters(document, parameters, spec.language) : undefined;
    for (const warning of injection?.warnings ?? []) note(`warning: ${warning}`);
    const earlier = resume && existsSync(output) ? readNotebook(output).document : undefined;
    const planned = planCells(document, {
      ...(injection && { injection }),
      ...(range && { range }),
      ...(earlier && { earlier }),
      allowErrors: allowErrors ?? false,
    });
    return { planned, total };
  }
}

/** Runs a notebook. @throws {UserError} when it cannot be read, written or run */
export function runNotebook(options: RunOptions): Promise<RunResult> {
  return new NotebookRun(options).run();
}
