import type { CellOutput } from '../contract.js';
import type { Outbox } from './sockets.js';
import type { Header, Wire } from './wire.js';

/** Characters of a stream that are put together at most before they are sent. */
const CHUNK = 1 << 20;
/** Milliseconds that text of a stream waits for more: fewer, larger messages, and still alive to the eye. */
const WAIT = 15;

interface Stream {
  name: 'stdout' | 'stderr';
  parts: string[];
  length: number;
  parent: Header | undefined;
}

/** What everybody sees: outputs and states, in the order in which they happened. */
export class IoPub {
  #wire: Wire;
  #outbox: Outbox;
  #stream: Stream | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(wire: Wire, outbox: Outbox) {
    this.#wire = wire;
    this.#outbox = outbox;
  }

  /** Publishes a message after everything before it. */
  publish(type: string, content: object, parent: Header | undefined): void {
    this.flush();
    this.#send(type, content, parent);
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

  /** Greets whoever has subscribed to `topic`, so that it knows that it misses nothing from here on. */
  welcome(topic: Buffer): void {
    this.flush();
    const content = { subscription: topic.toString() };
    this.#outbox.send(this.#wire.encode('iopub_welcome', content, undefined, { identities: [topic] }));
  }

  /** Sends the text that is held back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const stream = this.#stream;
    if (!stream) return;
    this.#stream = undefined;
    this.#send('stream', { name: stream.name, text: stream.parts.join('') }, stream.parent);
  }

  #text(name: 'stdout' | 'stderr', text: string, parent: Header | undefined): void {
    if (text === '') return;
    if (this.#stream && (this.#stream.name !== name || this.#stream.parent !== parent)) this.flush();
    this.#stream ??= { name, parts: [], length: 0, parent };
    this.#stream.parts.push(text);
    this.#stream.length += text.length;
    if (this.#stream.length >= CHUNK) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT);
  }

  #send(type: string, content: object, parent: Header | undefined): void {
    const topic = [Buffer.from(`kernel.${this.#wire.session}.${type}`)];
    this.#outbox.send(this.#wire.encode(type, content, parent, { identities: topic }));
  }
}
