import { Readable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { currentCell, type LiveCell } from '../engine/context.js';
import { forgetAnswers, type InputAnswer, NoInputError } from './input.js';
import type { OutputWriter } from './output.js';

// before cells get their own
const nextTurn = setImmediate;

/** What standard input needs of the kernel. */
export interface StdinParts {
  output: OutputWriter;
  inputs: MessagePort;
  /** Whether a cell has not ended: only then the person can be asked. */
  isRunning(cell: LiveCell): boolean;
}

/** Standard input of one cell: whoever reads from it asks the person for a line, and nothing is blocked meanwhile. */
class CellInput extends Readable {
  readonly fd = 0;
  readonly isTTY = false;
  readonly cell: LiveCell;
  readonly #parts: StdinParts;

  constructor(cell: LiveCell, parts: StdinParts) {
    super({ encoding: 'utf8' });
    this.cell = cell;
    this.#parts = parts;
  }

  override _read(): void {
    // a program that has got the line it wanted stops reading only after this call
    nextTurn(() => {
      const isWanted = this.readableFlowing || this.listenerCount('readable') > 0;
      if (isWanted) this.#ask();
      else this.once('resume', () => this._read());
    });
  }

  #ask(): void {
    const { output, inputs, isRunning } = this.#parts;
    if (!isRunning(this.cell)) {
      this.push(null);
      return;
    }
    forgetAnswers(inputs);
    inputs.once('message', ({ text, interrupted }: InputAnswer) => {
      if (interrupted) this.destroy();
      else if (text === undefined) this.destroy(new NoInputError());
      else this.push(`${text}\n`);
    });
    output.send({ type: 'input-request', id: this.cell.id, prompt: '', password: false });
  }
}

/** Lets `process.stdin`, and with it `readline`, ask the person. */
export function installStdin(parts: StdinParts): void {
  const empty = process.stdin;
  let stream: CellInput | undefined;
  const get = () => {
    const cell = currentCell();
    if (cell === undefined) return empty;
    if (stream?.cell !== cell || stream.destroyed) stream = new CellInput(cell, parts);
    return stream;
  };
  Object.defineProperty(process, 'stdin', { get, configurable: true, enumerable: true });
}
