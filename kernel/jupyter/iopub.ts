import type { CellOutput } from '../contract.js';
import type { Header, Json, Wire } from './wire.js';
import type { Frames } from './zmtp.js';

/** Characters of a stream that are put together at most before they are sent. */
const CHUNK = 1 << 20;
/** Milliseconds that text of a stream waits for more: fewer, larger messages, and still fluent to the eye. */
const WAIT = 15;

interface Stream {
  name: 'stdout' | 'stderr';
  parts: string[];
  length: number;
  parent: Header | undefined;
  /** The number of the last message of the engine in it. */
  position: number;
}

/** What a message may have beside its content. */
interface Extras {
  metadata?: Json;
  buffers?: readonly Buffer[];
}

/** Where messages for everybody go; output may be lost by a client that takes nothing. */
export interface Publishing {
  /** @param position up to which number the engine's messages have been sent with this one; `EngineConnection.handed` */
  send(frames: Frames, isOutput: boolean, position: number): void;
}

/** Messages that grow with the output of cells; the others report states, are short, and are not lost. */
const OUTPUT = new Set(['stream', 'display_data', 'update_display_data', 'execute_result', 'comm_msg']);

/** What everybody sees: outputs and states, in the order in which they happened. */
export class IoPub {
  #wire: Wire;
  #publishing: Publishing;
  #stream: Stream | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The request of the last output. */
  #parent: Header | undefined;
  /** See `EngineConnection.handed`. */
  readonly #position: () => number;

  constructor(wire: Wire, publishing: Publishing, position = () => 0) {
    this.#wire = wire;
    this.#publishing = publishing;
    this.#position = position;
  }

  /** Publishes a message after everything before it. */
  publish(type: string, content: object, parent: Header | undefined, extras: Extras = {}): void {
    this.flush();
    this.#send(type, content, parent, extras);
  }

  status(state: 'starting' | 'busy' | 'idle', parent: Header | undefined): void {
    this.publish('status', { execution_state: state }, parent);
  }

  /** Publishes what a cell shows; text of one stream is put together. */
  output(output: CellOutput, parent: Header | undefined): void {
    if (output.type === 'stream') {
      this.#text(output.name, output.text, parent);
    } else if (output.type === 'clear_output') {
      this.publish('clear_output', { wait: output.wait }, parent);
    } else {
      const { type, data, metadata, displayId } = output;
      const transient = displayId === undefined ? {} : { display_id: displayId };
      this.publish(type, { data, metadata, transient }, parent);
    }
  }

  /** Sends `iopub_welcome` to who has subscribed to `topic`: from here on it misses nothing. */
  welcome(topic: Buffer, send: (frames: Frames) => void): void {
    this.flush();
    const content = { subscription: topic.toString() };
    send(this.#wire.encode('iopub_welcome', content, undefined, { identities: [topic] }));
  }

  /** What a client is told that has lost output. */
  lossNote(bytes: number): Frames {
    const megabytes = Math.max(1, Math.round(bytes / 1e6));
    const text = `[arclab kernel] ${megabytes} MB of output are missing here: this client took nothing while others did\n`;
    return this.#encode('stream', { name: 'stderr', text }, this.#parent);
  }

  /** Sends the text that is held back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const stream = this.#stream;
    if (!stream) return;
    this.#stream = undefined;
    const content = { name: stream.name, text: stream.parts.join('') };
    this.#send('stream', content, stream.parent, {}, stream.position);
  }

  #text(name: 'stdout' | 'stderr', text: string, parent: Header | undefined): void {
    if (text === '') return;
    if (this.#stream && (this.#stream.name !== name || this.#stream.parent !== parent)) this.flush();
    this.#stream ??= { name, parts: [], length: 0, parent, position: 0 };
    this.#stream.parts.push(text);
    this.#stream.length += text.length;
    this.#stream.position = this.#position();
    if (this.#stream.length >= CHUNK) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT);
  }

  #send(
    type: string,
    content: object,
    parent: Header | undefined,
    extras: Extras,
    position = this.#position(),
  ): void {
    if (OUTPUT.has(type)) this.#parent = parent;
    this.#publishing.send(this.#encode(type, content, parent, extras), OUTPUT.has(type), position);
  }

  #encode(type: string, content: object, parent: Header | undefined, extras: Extras = {}): Frames {
    const topic = [Buffer.from(`kernel.${this.#wire.session}.${type}`)];
    return this.#wire.encode(type, content, parent, { ...extras, identities: topic });
  }
}
