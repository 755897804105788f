import { setTimeout as sleep } from 'node:timers/promises';
import type { NotebookDocument, Output } from '../notebook/index.js';
import { CellOutputs, type Displays } from './cell-outputs.js';
import type { ExecuteReply, KernelClient } from './kernel-client.js';
import { KernelDiedError } from './kernel-process.js';
import { mayFail, type PlannedCell } from './plan.js';

/** Seconds that an interrupted cell has before its kernel is ended. */
const INTERRUPT_GRACE = 5;
/** How often a cell that the kernel refused, because the one before had failed, is sent again, and after how long. */
const RETRIES = 5;
const RETRY_AFTER_MS = 250;

/** Why a cell failed, and what is known about it. */
export interface CellFailure {
  kind: 'error' | 'timeout' | 'interrupt' | 'input' | 'death';
  /** One line. */
  message: string;
  /** Lines for the person, with ANSI colours. */
  traceback: string[];
}

/** What came out of a cell besides its outputs. */
export interface CellResult {
  seconds: number;
  failure?: CellFailure;
  isIncomplete: boolean;
}

interface Running {
  index: number;
  /** Its reply has come: what comes now is late. */
  isDone: boolean;
  outputs: CellOutputs;
  executionCount: number | null;
  /** Times by name of message. */
  execution: Record<string, string>;
}

/** Runs cells of a document on a kernel, and brings their outputs into the document. */
export class CellRunner {
  #client: KernelClient;
  #document: NotebookDocument;
  #timeout: number | undefined;
  #displays: Displays = new Map();
  /** By the id of the request, because output may come when another cell is running already. */
  #requests = new Map<string, Running>();
  /** By the index of the cell: those whose outputs go into the document. */
  #shown = new Map<number, Running>();
  #stopped: { kind: 'timeout' | 'interrupt' | 'input'; message: string } | undefined;
  #isRunning = false;
  #late: { index: number; failure: CellFailure }[] = [];

  constructor(client: KernelClient, document: NotebookDocument, timeout: number | undefined) {
    this.#client = client;
    this.#document = document;
    this.#timeout = timeout;
    client.onOutput = (parent, type, content, header) => {
      const running = this.#requests.get(parent);
      if (running === undefined) return;
      if (type === 'status') running.execution[`iopub.status.${content.execution_state}`] = header.date;
      if (type === 'execute_input') {
        running.execution['iopub.execute_input'] = header.date;
        running.executionCount = content.execution_count as number;
      }
      running.outputs.take(type, content);
      if (type === 'error' && running.isDone) this.#late.push(lateFailure(running.index, content));
    };
    client.onInputRequest = (prompt) => this.interrupt('input', prompt);
  }

  /** Whether there is output that {@link putOutputs} has not put into the document yet. */
  get hasNews(): boolean {
    return [...this.#shown.values()].some(({ outputs }) => outputs.isChanged);
  }

  /** Errors that cells have caused after their end, such as rejections that nobody handled; each is told once. */
  takeLateFailures(): { index: number; failure: CellFailure }[] {
    return this.#late.splice(0);
  }

  /** Brings the outputs that have come so far into the document. */
  putOutputs(): void {
    for (const [index, { outputs, executionCount, execution }] of this.#shown) {
      if (!outputs.isChanged) continue;
      outputs.isChanged = false;
      this.#document.setRun(index, { outputs: outputs.outputs, executionCount, execution });
    }
  }

  /** Stops the cell that is running. @param detail the question of a cell that asks for input */
  interrupt(kind: 'timeout' | 'interrupt' | 'input', detail = ''): void {
    this.#stopped ??= { kind, message: this.#reason(kind, detail) };
    if (this.#isRunning) this.#client.interrupt();
  }

  #reason(kind: 'timeout' | 'interrupt' | 'input', detail: string): string {
    if (kind === 'timeout') return `took longer than ${this.#timeout} s and was interrupted`;
    if (kind === 'interrupt') return 'interrupted';
    return `asks for input (${JSON.stringify(detail)}), which is not available here`;
  }

  /** What a run that is interrupted between two cells reports. */
  interrupted(): CellFailure {
    return { kind: 'interrupt', message: 'interrupted', traceback: [] };
  }

  /** Ends the kernel, and with it the cell that is running. */
  kill(): void {
    this.#client.process.signal('SIGKILL');
  }

  /** Runs a cell to its end; outputs of one that is rebuilt go nowhere. */
  async run(index: number, action: PlannedCell['action']): Promise<CellResult> {
    const cell = this.#document.cells[index]!;
    const started = performance.now();
    const running: Running = {
      index,
      isDone: false,
      outputs: new CellOutputs(this.#displays),
      executionCount: null,
      execution: {},
    };
    running.outputs.isChanged = true;
    if (action === 'run') this.#shown.set(index, running);
    this.#stopped = undefined;
    this.#isRunning = true;
    const timers = this.#startTimers();
    try {
      const reply = await this.#execute(cell.source, !mayFail(cell), running);
      running.executionCount = reply.executionCount ?? running.executionCount;
      running.execution['shell.execute_reply'] = reply.date;
      const failure = this.#failureOf(reply, running.outputs);
      const seconds = (performance.now() - started) / 1000;
      return { seconds, isIncomplete: reply.outputIsIncomplete, ...(failure && { failure }) };
    } catch (error) {
      if (!(error instanceof KernelDiedError)) throw error;
      const stopped = this.#stopped as { kind: CellFailure['kind']; message: string } | undefined;
      const message = stopped ? `${stopped.message}; the kernel did not stop and was ended` : error.message;
      const failure: CellFailure = { kind: stopped?.kind ?? 'death', message, traceback: [...error.stderr] };
      running.outputs.take('error', { ename: error.name, evalue: message, traceback: failure.traceback });
      return { seconds: (performance.now() - started) / 1000, isIncomplete: false, failure };
    } finally {
      running.isDone = true;
      this.#isRunning = false;
      for (const timer of timers) clearTimeout(timer);
      running.outputs.isChanged = true;
    }
  }

  #startTimers(): NodeJS.Timeout[] {
    if (this.#timeout === undefined) return [];
    return [
      setTimeout(() => this.interrupt('timeout'), this.#timeout * 1000),
      setTimeout(() => this.kill(), (this.#timeout + INTERRUPT_GRACE) * 1000),
    ];
  }

  async #execute(source: string, stopOnError: boolean, running: Running): Promise<ExecuteReply> {
    for (let attempt = 0; ; attempt++) {
      const { id, done } = this.#client.execute(source, stopOnError);
      this.#requests.set(id, running);
      const reply = await done;
      if (reply.status !== 'aborted' || attempt === RETRIES || this.#stopped) return reply;
      await sleep(RETRY_AFTER_MS);
    }
  }

  #failureOf(reply: ExecuteReply, outputs: CellOutputs): CellFailure | undefined {
    if (reply.status === 'ok') return undefined;
    const shown = outputs.outputs;
    const error = shown.find((output) => output.output_type === 'error');
    const stopped = this.#stopped;
    const evalue =
      reply.evalue ?? stopped?.message ?? (reply.status === 'aborted' ? 'the kernel refused the cell' : '');
    const ename = reply.ename ?? error?.ename ?? 'Error';
    // a kernel that sends no error, such as tslab, has said it on the standard error
    if (error === undefined) outputs.take('error', { ename, evalue, traceback: reply.traceback ?? [] });
    const first = (error?.evalue ?? evalue).split('\n')[0];
    return {
      kind: stopped?.kind ?? 'error',
      message: stopped?.message ?? (first ? `${ename}: ${first}` : ename),
      traceback: error?.traceback ?? standardError(shown),
    };
  }
}

function lateFailure(index: number, content: Record<string, unknown>) {
  const { ename, evalue, traceback } = content as { ename: string; evalue: string; traceback: string[] };
  const message = `${ename}: ${evalue.split('\n')[0]} (after the cell had ended)`;
  return { index, failure: { kind: 'error' as const, message, traceback } };
}

function standardError(outputs: readonly Output[]): string[] {
  return outputs.flatMap((output) =>
    output.output_type === 'stream' && output.name === 'stderr' ? output.text.trimEnd().split('\n') : [],
  );
}
