import { setTimeout as sleep } from 'node:timers/promises';
import type { CellError, CellOutcome, CellOutput, CellRequest } from '../contract.js';
import type { Language } from '../language/language.js';
import type { EngineLink } from './engine-link.js';
import type { History } from './history.js';
import type { IoPub } from './iopub.js';
import { inspectReply } from './look.js';
import { pageOf } from './pager.js';
import type { Replies } from './replies.js';
import type { Header, Json, Message } from './wire.js';

/** A cell between its request and its reply. */
interface Running {
  id: string;
  request: Message;
  silent: boolean;
}

/**
 * When type errors are said: `late` right after the cell, which never waits for them unless it has failed;
 * `wait` before its reply, for those who keep the outputs; `off` never.
 */
export type TypeWarnings = 'late' | 'wait' | 'off';

/** Requests of cells whose outputs may still come are remembered: timers and rejections outlive their cell. */
const REMEMBERED = 10_000;

/** For how long no cell has begun or ended when types are looked at, in ms. */
const CALM = 100;

/** How long a cell that has failed waits for what its types explain, in ms; a later explanation is shown all the same. */
const EXPLANATION = 1000;

/** Failures that say all themselves: the cell could not begin, or the person has stopped it. */
const UNEXPLAINED = new Set(['SyntaxError', 'ModuleNotFoundError', 'KernelInterrupted']);

export interface ExecutorParts {
  engine: EngineLink;
  iopub: IoPub;
  replies: Replies;
  history: History;
  language: Language;
  types: TypeWarnings;
}

/** Runs `execute_request`s one after the other. */
export class Executor {
  #parts: ExecutorParts;
  #queue: Message[] = [];
  #running: Running | undefined;
  #looping = false;
  #count = 0;
  #cells = 0;
  #headers = new Map<string, Header>();
  #closed = false;
  #calm: NodeJS.Timeout | undefined;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  /** The header of the request whose cell runs now. */
  get current(): Header | undefined {
    return this.#running?.request.header;
  }

  add(request: Message): void {
    this.#queue.push(request);
    void this.#loop();
  }

  /** Stops the cell that runs; what is queued behind it is aborted, as after any error. */
  interrupt(): void {
    this.#parts.engine.interrupt();
  }

  /** Starts nothing any more. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  onOutput(id: string, output: CellOutput): void {
    const running = this.#running?.id === id ? this.#running : undefined;
    if (!running?.silent) this.#parts.iopub.output(output, running?.request.header ?? this.#headers.get(id));
  }

  onLateError(id: string, { ename, evalue, traceback }: CellError): void {
    this.#parts.iopub.publish('error', { ename, evalue, traceback }, this.#headers.get(id));
  }

  onInputRequest(id: string, prompt: string, password: boolean): void {
    const { engine, replies } = this.#parts;
    const request = this.#running?.id === id ? this.#running.request : undefined;
    if (request?.content.allow_stdin !== true) engine.answerInput(undefined);
    else replies.askForInput(request, prompt, password);
  }

  async #loop(): Promise<void> {
    if (this.#looping) return;
    this.#looping = true;
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      await this.#run(request);
    }
    this.#looping = false;
  }

  /** What is there when a cell fails gives up, what comes after that runs: nothing is skipped in silence. */
  async #takeQueued({ content: { silent, stop_on_error } }: Message): Promise<Message[]> {
    if (silent === true || stop_on_error === false) return [];
    // what the client sent before it could know of the error may still be on its way through this process
    await new Promise((resolve) => setImmediate(resolve));
    const taken = this.#queue.filter(({ content }) => content.stop_on_error !== false);
    this.#queue = this.#queue.filter((request) => !taken.includes(request));
    return taken;
  }

  #abort(request: Message): void {
    const { iopub, replies } = this.#parts;
    iopub.status('busy', request.header);
    const content = { status: 'aborted', execution_count: this.#count };
    replies.send('shell', request, content, { status: 'aborted' });
    iopub.status('idle', request.header);
  }

  async #run(request: Message): Promise<void> {
    const { iopub, replies, history } = this.#parts;
    const { header, content } = request;
    const code = typeof content.code === 'string' ? content.code : '';
    const silent = content.silent === true;
    const stored = !silent && content.store_history !== false;
    this.#flushWhenCalm();
    iopub.status('busy', header);
    if (stored) history.add(++this.#count, code);
    if (!silent) iopub.publish('execute_input', { code, execution_count: this.#count }, header);
    const running = { id: `cell-${++this.#cells}`, request, silent };
    this.#running = running;
    this.#remember(running.id, header);
    const page = pageOf(code);
    const isCell = page === undefined && code.trim() !== '';
    const cell = { code, name: `${running.id}.ts` };
    if (isCell && !silent) this.#parts.language.note(cell);
    const outcome: CellOutcome = isCell
      ? await this.#parts.engine.execute(running.id, cell)
      : { status: 'ok' };
    if (!silent) this.#publishOutcome(outcome, header, stored);
    const aborted = outcome.status === 'error' ? await this.#takeQueued(request) : [];
    if (isCell) await this.#warn(running, cell, outcome);
    const reply =
      outcome.status === 'error'
        ? { ...outcome, execution_count: this.#count }
        : {
            status: 'ok',
            execution_count: this.#count,
            user_expressions: await this.#evaluate(content.user_expressions, running),
            payload: page === undefined ? [] : await this.#page(page),
          };
    this.#running = undefined;
    this.#flushWhenCalm();
    if (this.#closed) return;
    replies.send('shell', request, reply, { status: reply.status });
    iopub.status('idle', header);
    for (const one of aborted) this.#abort(one);
  }

  /** Types are looked at when no cell has begun or ended for a while: quick ones need the processor themselves. */
  #flushWhenCalm(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.#parts.language.flush(), CALM);
  }

  #publishOutcome(outcome: CellOutcome, header: Header, stored: boolean): void {
    const { iopub, history } = this.#parts;
    if (outcome.status === 'error') {
      const { ename, evalue, traceback } = outcome;
      iopub.publish('error', { ename, evalue, traceback }, header);
    } else if (outcome.result) {
      const text = outcome.result.data['text/plain'];
      if (stored && typeof text === 'string') history.setOutput(this.#count, text);
      iopub.publish('execute_result', { execution_count: this.#count, ...outcome.result }, header);
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

  async #evaluate(expressions: unknown, { id }: Running): Promise<Json> {
    const results: Json = {};
    for (const [key, expression] of Object.entries((expressions ?? {}) as Json)) {
      const name = `${id}-user-expression-${key.replace(/\W/g, '_')}.ts`;
      const outcome = await this.#parts.engine.execute(`${id}:${key}`, { code: String(expression), name });
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
    const text = data['text/plain'] ?? `Nothing is known of ${expression}.`;
    return [{ source: 'page', data: { 'text/plain': text }, start: 0 }];
  }

  #remember(id: string, header: Header): void {
    this.#headers.set(id, header);
    if (this.#headers.size > REMEMBERED) this.#headers.delete(this.#headers.keys().next().value!);
  }
}
