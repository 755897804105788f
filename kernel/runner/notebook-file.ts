import { statSync } from 'node:fs';
import { writeFileAtomic } from '../../src/common/files.js';

/**
 * The file that a run writes again and again. When another program has written it meanwhile, such as a person in an
 * editor, that stays, and the run goes on in a file beside it.
 */
export class NotebookFile {
  #path: string;
  #seen: string;
  #onNote: (text: string) => void;

  constructor(path: string, onNote: (text: string) => void) {
    this.#path = path;
    this.#seen = stamp(path);
    this.#onNote = onNote;
  }

  /** Where the outputs are. */
  get path(): string {
    return this.#path;
  }

  /** @throws {UserError} when it cannot be written; the last version that could is still there */
  write(text: string): void {
    if (stamp(this.#path) !== this.#seen) {
      const beside = this.#path.replace(/(\.ipynb)?$/, '.run.ipynb');
      this.#onNote(`${this.#path} was changed by another program meanwhile; the outputs go to ${beside}`);
      this.#path = beside;
    }
    writeFileAtomic(this.#path, text);
    this.#seen = stamp(this.#path);
  }
}

/** What changes when a file is written. */
function stamp(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? 'absent' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
}
