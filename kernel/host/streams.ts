import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { currentCell, refuseAbandoned } from '../engine/context.js';
import type { OutputWriter } from './output.js';

type Done = (error?: Error | null) => void;

/** A standard stream whose text goes to the cell that wrote it, at once: nothing is held back in this thread. */
class CellStream extends Writable {
  readonly fd: number;
  readonly isTTY = false;
  readonly #output: OutputWriter;
  readonly #name: 'stdout' | 'stderr';

  constructor(output: OutputWriter, name: 'stdout' | 'stderr') {
    super({ decodeStrings: false, emitClose: false });
    // what is piped into it leaves its listeners behind, which a stream that never closes keeps
    this.setMaxListeners(0);
    this.fd = name === 'stdout' ? 1 : 2;
    this.#output = output;
    this.#name = name;
  }

  // what goes through Writable's own machinery may be put off until the cell is over
  override write(chunk: unknown, encoding?: BufferEncoding | Done, callback?: Done): boolean {
    refuseAbandoned();
    const done = typeof encoding === 'function' ? encoding : callback;
    const isBytes = chunk instanceof Uint8Array;
    if (typeof chunk !== 'string' && !isBytes) {
      throw new TypeError(
        'The "chunk" argument must be of type string or an instance of Buffer or Uint8Array',
      );
    }
    const isPlain = isBytes || typeof encoding !== 'string' || /^utf-?8$/i.test(encoding);
    const content = isPlain ? chunk : Buffer.from(chunk, encoding);
    this.#output.stream(currentCell()?.id ?? '', this.#name, content);
    if (done !== undefined) process.nextTick(done);
    return true;
  }

  /** The next cell writes on: whoever waits for the end is told that everything is written, and the stream stays. */
  override end(chunk?: unknown, encoding?: BufferEncoding | Done, callback?: Done): this {
    const done = [chunk, encoding, callback].find((argument) => typeof argument === 'function') as
      | Done
      | undefined;
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') {
      this.write(chunk, typeof encoding === 'string' ? encoding : undefined);
    }
    process.nextTick(() => {
      this.emit('finish');
      done?.();
    });
    return this;
  }

  override destroy(): this {
    return this;
  }
}

/** Lets `process.stdout`, `process.stderr` and `console` write to the cells. */
export function installStreams(output: OutputWriter): void {
  const stdout = new CellStream(output, 'stdout');
  const stderr = new CellStream(output, 'stderr');
  for (const [name, stream] of Object.entries({ stdout, stderr })) {
    Object.defineProperty(process, name, { get: () => stream, configurable: true, enumerable: true });
  }
  // without the inspector's console around it, which keeps the last thousand values alive; and with errors, which
  // stop code of an interrupted cell at its next line
  const plain = new Console({ stdout, stderr, ignoreErrors: false }) as unknown as Record<string, unknown>;
  const target = console as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(plain)) {
    if (typeof method === 'function' && name in target) target[name] = method;
  }
}
