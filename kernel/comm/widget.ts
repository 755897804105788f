import { inspect, isDeepStrictEqual } from 'node:util';
import type { MimeBundle } from '../contract.js';
import { putBuffers, takeBuffers } from './buffers.js';
import type { Comm, CommData, ReceivedExtras } from './comm.js';
import { Emitter, type Send } from './listeners.js';
import { CommProtocolError } from './manager.js';

/** The values that kernel and client share, by name. */
export type WidgetState = Record<string, unknown>;

/** A property that has changed. */
export interface WidgetChange {
  name: string;
  value: unknown;
  old: unknown;
}

/** What a kind of widgets is made of. */
export interface WidgetKind {
  /** How it is called in cells: `slider`. */
  name: string;
  /** Which code in the client draws it: `_model_name` and its like, and everything else that never changes. */
  fixed: WidgetState;
  /** Names and values as the client has them, and back. */
  toClient(state: WidgetState, all: WidgetState): WidgetState;
  fromClient(state: WidgetState, all: WidgetState): WidgetState;
  /** What is wrong with a state, if anything. */
  check(state: WidgetState): string | undefined;
  /** Events beside changes that the client sends as `{ event }`, such as a button's `click`. */
  events: readonly string[];
}

/** What a widget needs of its manager. */
export interface WidgetOwner {
  send: Send;
  open(widget: Widget, data: CommData, buffers: readonly (ArrayBuffer | ArrayBufferView)[]): Comm;
  /** Sends data as an answer to the message that is being handled. */
  answer(widget: Widget, data: CommData, buffers: readonly (ArrayBuffer | ArrayBufferView)[]): void;
}

const VIEW = 'application/vnd.jupyter.widget-view+json';
const MAX_TEXT = 200;

/**
 * A widget: a state that a cell and every view of it in the client share (protocol of ipywidgets 8, "jupyter.widget"
 * 2.1). Its properties are properties of this object, too: `slider.value = 5` moves the slider.
 */
export class Widget extends Emitter<Record<string, unknown[]>> {
  readonly #kind: WidgetKind;
  readonly #owner: WidgetOwner;
  readonly #comm: Comm;
  #state: WidgetState;

  /** @throws {TypeError} where the state does not fit the kind */
  constructor(kind: WidgetKind, state: WidgetState, owner: WidgetOwner) {
    super(owner.send);
    this.#kind = kind;
    this.#owner = owner;
    this.#state = { ...state };
    const problem = kind.check(state);
    if (problem !== undefined) throw new TypeError(`widget.${kind.name}: ${problem}`);
    for (const name of Object.keys(state)) {
      if (name in this) continue;
      const property = { get: () => this.get(name), set: (value: unknown) => this.set(name, value) };
      Object.defineProperty(this, name, { ...property, enumerable: true });
    }
    const { state: data, paths, buffers } = takeBuffers(this.clientState());
    this.#comm = owner.open(this, { state: data, buffer_paths: paths }, buffers);
    this.#comm.once('close', () => this.emit('close'));
  }

  /** The id under which the client knows it. */
  get id(): string {
    return this.#comm.id;
  }

  get isOpen(): boolean {
    return this.#comm.isOpen;
  }

  /** The value of a property. */
  get(name: string): unknown {
    return this.#state[name];
  }

  /** Changes one property, or several at once; views follow, and listeners of `change` hear of it. */
  set(name: string | WidgetState, value?: unknown): void {
    const given = typeof name === 'string' ? { [name]: value } : name;
    for (const one of Object.keys(given)) {
      if (Object.hasOwn(this.#state, one)) continue;
      const known = Object.keys(this.#state).join(', ');
      throw new TypeError(`widget.${this.#kind.name} has no property "${one}"; it has ${known}`);
    }
    const next = { ...this.#state, ...given };
    const problem = this.#kind.check(next);
    if (problem !== undefined) throw new TypeError(`widget.${this.#kind.name}: ${problem}`);
    const changes = this.#apply(given);
    this.#sendState(changes.map((change) => change.name));
    this.#tell(changes);
  }

  /** Sends a message of one's own to the views, `msg:custom` there. */
  send(content: unknown, buffers: readonly (ArrayBuffer | ArrayBufferView)[] = []): void {
    this.#comm.send({ method: 'custom', content }, { buffers });
  }

  /** Takes the widget out of the client. Its properties stay. */
  close(): void {
    this.#comm.close();
  }

  /** The whole state as the client has it. */
  clientState(): WidgetState {
    return { ...this.#kind.fixed, ...this.#kind.toClient(this.#state, this.#state) };
  }

  /** Takes a message of the client. @throws {CommProtocolError} where it cannot be followed */
  receive(data: CommData, { buffers }: ReceivedExtras): void {
    if (data.method === 'update') this.#update(data, buffers);
    else if (data.method === 'request_state') this.#sendState(Object.keys(this.#state), true);
    else if (data.method === 'custom') this.#custom(data.content, buffers);
    else throw new CommProtocolError(`a widget knows no method ${JSON.stringify(data.method)}`);
  }

  #update({ state, buffer_paths: paths = [] }: CommData, buffers: readonly Uint8Array[]): void {
    if (typeof state !== 'object' || state === null || Array.isArray(state)) {
      throw new CommProtocolError('the state of an update is no object');
    }
    const problem = putBuffers(state as WidgetState, paths, buffers);
    if (problem !== undefined) throw new CommProtocolError(`an update: ${problem}`);
    const all = this.#kind.fromClient(state as WidgetState, this.#state);
    const known = Object.fromEntries(
      Object.entries(all).filter(([name]) => Object.hasOwn(this.#state, name)),
    );
    const wrong = this.#kind.check({ ...this.#state, ...known });
    if (wrong !== undefined) {
      // the client is told what holds
      this.#sendState(Object.keys(known), true);
      throw new CommProtocolError(`an update of a ${this.#kind.name}: ${wrong}`);
    }
    const changes = this.#apply(known);
    // so that all clients agree; the one that has sent it waits for its own to come back
    const {
      state: echo,
      paths: echoPaths,
      buffers: echoBuffers,
    } = takeBuffers(this.#kind.toClient(known, this.#state));
    const answer = { method: 'echo_update', state: echo, buffer_paths: echoPaths };
    this.#owner.answer(this, answer, echoBuffers);
    this.#tell(changes);
  }

  #custom(content: unknown, buffers: readonly Uint8Array[]): void {
    this.emit('message', content, buffers);
    const event: unknown = (content as { event?: unknown } | null | undefined)?.event;
    if (typeof event === 'string' && this.#kind.events.includes(event)) this.emit(event);
  }

  #apply(given: WidgetState): WidgetChange[] {
    const changes = Object.entries(given)
      .filter(([name, value]) => !isDeepStrictEqual(value, this.#state[name]))
      .map(([name, value]) => ({ name, value, old: this.#state[name] }));
    for (const { name, value } of changes) this.#state[name] = value;
    return changes;
  }

  #tell(changes: readonly WidgetChange[]): void {
    for (const change of changes) {
      this.emit('change', change);
      this.emit(`change:${change.name}`, change);
    }
  }

  #sendState(names: readonly string[], isAnswer = false): void {
    if (names.length === 0 || !this.isOpen) return;
    const part = Object.fromEntries(names.map((name) => [name, this.#state[name]]));
    const { state, paths, buffers } = takeBuffers(this.#kind.toClient(part, this.#state));
    const data = { method: 'update', state, buffer_paths: paths };
    if (isAnswer) this.#owner.answer(this, data, buffers);
    else this.#comm.send(data, { buffers });
  }

  /** How the state of another widget names this one. */
  toJSON(): string {
    return `IPY_MODEL_${this.id}`;
  }

  /** What a cell shows of it: its view, and its properties where there are no widgets. */
  [Symbol.for('Jupyter.display')](): MimeBundle {
    return { ...(this.isOpen && this.view()), 'text/plain': inspect(this) };
  }

  /** The part of a MIME bundle that clients show as a view of this widget. */
  view(): MimeBundle {
    return { [VIEW]: { version_major: 2, version_minor: 0, model_id: this.id } };
  }

  [inspect.custom](): string {
    const shown = Object.entries(this.#state).filter(([name, value]) => value !== null && name !== 'layout');
    const text = inspect(Object.fromEntries(shown), { depth: 1, breakLength: Number.POSITIVE_INFINITY });
    const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
    return `${this.isOpen ? '' : 'closed '}${this.#kind.name} ${short}`;
  }
}
