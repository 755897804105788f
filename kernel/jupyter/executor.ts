import { setTimeout as sleep } from 'node:timers/promises';
import type { CellError, CellOutcome, CellOutput, CellRequest } from '../contract.js';
import type { Language } from '../language/language.js';
import type { EngineLink } from './engine-link.js';
import type { History } from './history/history.js';
import type { IoPub } from './iopub.js';
import { inspectReply } from './look.js';
import { pageOf } from './pager.js';
import type { PendingWriter } from './pending.js';
import type { Replies } from './replies.js';
import type { Header, Json, Message } from './wire.js';

/** A cell between its request and its reply. */
interface Running {
  id: string;
  request: Message;
  silent: boolean;
}

/** The requests of the main shell, or of a subshell: they run one after the other. */
interface Lane {
  /** The id of the subshell, '' for the main one. */
  id: string;
  queue: Message[];
  running: Running | undefined;
  isLooping: boolean;
  /** Its subshell was deleted: it ends with the cell that runs. */
  isClosed: boolean;
}

const laneOf = (id: string): Lane => ({
  id,
  queue: [],
  running: undefined,
  isLooping: false,
  isClosed: false,
});

/**
 * When type errors are reported: `late` right after the cell, which never waits for them unless it has failed;
 * `wait` before its reply, for those who keep the outputs; `off` never.
 */
export type TypeWarnings = 'late' | 'wait' | 'off';

/** Requests of cells whose outputs may still come are remembered: timers and rejections outlive their cell. */
const REMEMBERED = 10_000;

/** For how long no cell has begun or ended when types are looked at, in ms. */
const CALM = 100;

/** How long a cell that has failed waits for what its types explain, in ms; a later explanation is shown all the same. */
const EXPLANATION = 200;

/** Failures that need no explanation: the cell could not begin, or was interrupted. */
const UNEXPLAINED = new Set(['SyntaxError', 'ModuleNotFoundError', 'KernelInterrupted']);

export interface ExecutorParts {
  engine: EngineLink;
  iopub: IoPub;
  replies: Replies;
  history: History;
  language: Language;
  types: TypeWarnings;
  pending: PendingWriter;
}

/** Runs `execute_request`s one after the other. */
export class Executor {
  #parts: ExecutorParts;
  #main = laneOf('');
  /** The main lane, and those of subshells. */
  #lanes = new Map([['', this.#main]]);
  #count = 0;
  #cells = 0;
  #headers = new Map<string, Header>();
  #closed = false;
  #waiting: { present: Message[]; resolve: () => void }[] = [];
  #calm: NodeJS.Timeout | undefined;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  /** The header of a request whose cell runs now. */
  get current(): Header | undefined {
    const running = this.#main.running ?? [...this.#lanes.values()].find((lane) => lane.running)?.running;
    return running?.request.header;
  }

  /** The header of the request that made a cell, also of one that has ended. */
  headerOf(id: string): Header | undefined {
    return this.#runningOf(id)?.request.header ?? this.#headers.get(id);
  }

  #runningOf(id: string): Running | undefined {
    return [...this.#lanes.values()].find(({ running }) => running?.id === id)?.running;
  }

  /** Begins to take the requests of a subshell. */
  openLane(id: string): void {
    this.#lanes.set(id, laneOf(id));
  }

  /** Ends a subshell: what waits in it gives up, and a cell that runs goes on to its end. */
  closeLane(id: string): void {
    const lane = this.#lanes.get(id) ?? laneOf(id);
    lane.isClosed = true;
    if (!lane.isLooping) this.#lanes.delete(id);
    for (const request of lane.queue.splice(0)) this.#abort(request);
  }

  /** Resolves when the cells that are here now have ended. */
  cellsEnded(): Promise<void> {
    return new Promise((resolve) => {
      const present = [...this.#lanes.values()].flatMap(({ queue, running }) =>
        running === undefined ? queue : [...queue, running.request],
      );
      this.#waiting.push({ present, resolve });
      this.#tellWaiting();
    });
  }

  /** Runs a request after those that its lane has. */
  add(request: Message, laneId = ''): void {
    const lane = this.#lanes.get(laneId) ?? this.#main;
    lane.queue.push(request);
    this.#parts.pending.queued(request);
    void this.#loop(lane);
  }

  /** Stops the cell that runs; what is queued behind it is aborted, as after any error. */
  interrupt(): void {
    this.#parts.engine.interrupt();
  }

  /** Starts nothing any more. */
  close(): void {
    this.#closed = true;
    for (const { queue } of this.#lanes.values()) queue.length = 0;
  }

  onOutput(id: string, output: CellOutput): void {
    if (!this.#runningOf(id)?.silent) this.#parts.iopub.output(output, this.headerOf(id));
  }

  onLateError(id: string, { ename, evalue, traceback }: CellError): void {
    this.#parts.iopub.publish('error', { ename, evalue, traceback }, this.headerOf(id));
  }

  onInputRequest(id: string, prompt: string, password: boolean): void {
    const { engine, replies } = this.#parts;
    const request = this.#runningOf(id)?.request;
    if (request?.content.allow_stdin !== true) engine.answerInput(undefined);
    else replies.askForInput(request, prompt, password);
  }

  async #loop(lane: Lane): Promise<void> {
    if (lane.isLooping) return;
    lane.isLooping = true;
    for (let request = lane.queue.shift(); request; request = lane.queue.shift()) {
      await this.#run(lane, request);
      this.#tellWaiting();
    }
    lane.isLooping = false;
    if (lane.isClosed) this.#lanes.delete(lane.id);
  }

  /** Tells those who wait for cells that have ended. */
  #tellWaiting(): void {
    const lanes = [...this.#lanes.values()];
    const isThere = (request: Message) =>
      lanes.some(({ running, queue }) => running?.request === request || queue.includes(request));
    const over = this.#waiting.filter(({ present }) => !present.some(isThere));
    this.#waiting = this.#waiting.filter((waiting) => !over.includes(waiting));
    for (const { resolve } of over) resolve();
  }

  /** Requests that wait when a cell fails are aborted, later ones run: nothing is skipped silently. */
  async #takeQueued(lane: Lane, { content }: Message): Promise<Message[]> {
    const { silent, stop_on_error } = content;
    if (silent === true || stop_on_error === false) return [];
    // what the client sent before it could know of the error may still be on its way through this process
    await new Promise((resolve) => setImmediate(resolve));
    const taken = lane.queue.filter((request) => request.content.stop_on_error !== false);
    lane.queue = lane.queue.filter((request) => !taken.includes(request));
    return taken;
  }

  #abort(request: Message): void {
    const { iopub, replies } = this.#parts;
    iopub.status('busy', request.header);
    const content = { status: 'aborted', execution_count: this.#count };
    replies.send('shell', request, content, { status: 'aborted' });
    iopub.status('idle', request.header);
    this.#parts.pending.answered(request);
  }

  async #run(lane: Lane, request: Message): Promise<void> {
    const { iopub, replies, history } = this.#parts;
    const { header, content } = request;
    const code = typeof content.code === 'string' ? content.code : '';
    const silent = content.silent === true;
    const stored = !silent && content.store_history !== false;
    // kept, because cells of other lanes count meanwhile
    const count = stored ? ++this.#count : this.#count;
    const running = { id: `cell-${++this.#cells}`, request, silent };
    lane.running = running;
    this.#parts.pending.running(request, { id: running.id, count });
    this.#remember(running.id, header);
    const page = pageOf(code);
    const isCell = page === undefined && code.trim() !== '';
    const cell = { code, name: `${running.id}.ts`, lane: lane.id };
    // the other thread begins while this one says so: nothing of what it shows is taken before this turn is over
    const executed: Promise<CellOutcome> = isCell
      ? this.#parts.engine.execute(running.id, cell)
      : Promise.resolve({ status: 'ok' });
    iopub.status('busy', header);
    if (!silent) iopub.publish('execute_input', { code, execution_count: count }, header);
    if (stored) history.add(count, code);
    if (isCell && !silent) this.#parts.language.note(cell);
    this.#flushWhenCalm();
    const outcome = await executed;
    if (!silent) this.#publishOutcome(outcome, header, count, stored);
    const aborted = outcome.status === 'error' ? await this.#takeQueued(lane, request) : [];
    if (isCell) await this.#warn(running, cell, outcome);
    const reply =
      outcome.status === 'error'
        ? { ...outcome, execution_count: count }
        : {
            status: 'ok',
            execution_count: count,
            user_expressions: await this.#evaluate(content.user_expressions, running, lane.id),
            payload: page === undefined ? nextInputOf(outcome) : await this.#page(page),
          };
    lane.running = undefined;
    this.#flushWhenCalm();
    if (this.#closed) return;
    replies.send('shell', request, reply, { status: reply.status });
    iopub.status('idle', header);
    this.#parts.pending.answered(request);
    for (const one of aborted) this.#abort(one);
    // clients show the last state that they hear of
    if (this.current) iopub.status('busy', this.current);
  }

  /** Types are looked at when no cell has begun or ended for a while: quick ones need the processor themselves. */
  #flushWhenCalm(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.#parts.language.flush(), CALM);
  }

  #publishOutcome(outcome: CellOutcome, header: Header, count: number, stored: boolean): void {
    const { iopub, history } = this.#parts;
    if (outcome.status === 'error') {
      const { ename, evalue, traceback } = outcome;
      iopub.publish('error', { ename, evalue, traceback }, header);
    } else if (outcome.result) {
      const text = outcome.result.data['text/plain'];
      if (stored && typeof text === 'string') history.setOutput(count, text);
      iopub.publish('execute_result', { execution_count: count, ...outcome.result }, header);
    }
  }

  /** One that failed is explained by what is wrong with its types before its reply goes out, if that is soon. */
  async #warn(running: Running, cell: CellRequest, outcome: CellOutcome): Promise<void> {
    const { iopub, language, types } = this.#parts;
    const failed = outcome.status === 'error';
    if (running.silent || types === 'off' || (failed && UNEXPLAINED.has(outcome.ename))) return;
    const isSoon = failed || types === 'wait';
    const checked = isSoon ? language.checkNow(cell) : language.check(cell);
    const warned = checked.then((warnings) => {
      iopub.output({ type: 'stream', name: 'stderr', text: warnings.join('') }, running.request.header);
    });
    if (types === 'wait') await warned;
    else if (failed) await Promise.race([warned, sleep(EXPLANATION, undefined, { ref: false })]);
  }

  async #evaluate(expressions: unknown, { id }: Running, lane: string): Promise<Json> {
    const results: Json = {};
    for (const [key, expression] of Object.entries((expressions ?? {}) as Json)) {
      const name = `${id}-user-expression-${key.replace(/\W/g, '_')}.ts`;
      const outcome = await this.#parts.engine.execute(`${id}:${key}`, {
        code: String(expression),
        name,
        lane,
      });
      results[key] =
        outcome.status === 'error'
          ? outcome
          : { status: 'ok', ...(outcome.result ?? { data: { 'text/plain': 'undefined' }, metadata: {} }) };
    }
    return results;
  }

  async #page(expression: string): Promise<Json[]> {
    const { engine, language } = this.#parts;
    const { data } = await inspectReply({ code: expression }, language, engine);
    const text = data['text/plain'] ?? `No documentation found for ${expression}.`;
    return [{ source: 'page', data: { 'text/plain': text }, start: 0 }];
  }

  #remember(id: string, header: Header): void {
    this.#headers.set(id, header);
    if (this.#headers.size > REMEMBERED) this.#headers.delete(this.#headers.keys().next().value!);
  }
}

/** What a cell has loaded takes its place, where the client does that. */
function nextInputOf(outcome: CellOutcome): Json[] {
  if (outcome.status === 'error' || outcome.nextInput === undefined) return [];
  return [{ source: 'set_next_input', text: outcome.nextInput, replace: true }];
}
