import { VocabularyCutError } from './errors.js';

/**
 * A part of a vocabulary: embeddings and head have a row for each token in it and for no other. Token ids keep
 * their meaning outside of the decoder; inside, a kept token is known by its row.
 */
export class VocabularyCut {
  /** The ids of the kept tokens, ascending: the id of each row. */
  readonly kept: Int32Array;
  /** By id, −1 for tokens that are not kept. */
  readonly #rows: Int32Array;

  /**
   * @param kept ids of tokens, ascending
   * @param vocabSize rows of the whole vocabulary
   */
  constructor(kept: Int32Array, vocabSize: number) {
    this.kept = kept;
    this.#rows = new Int32Array(vocabSize).fill(-1);
    for (const [row, id] of kept.entries()) {
      if (id < 0 || id >= vocabSize || (row > 0 && id <= kept[row - 1]!)) {
        throw new RangeError(`a vocabulary cut keeps ids below ${vocabSize} in ascending order, found ${id}`);
      }
      this.#rows[id] = row;
    }
  }

  /** The rows of tokens. @throws {VocabularyCutError} for one that is not kept */
  rows(ids: Int32Array): Int32Array {
    return ids.map((id) => {
      const row = this.#rows[id] ?? -1;
      if (row >= 0) return row;
      throw new VocabularyCutError(
        `\`pruneVocab\`: token ${id} is not among the ${this.kept.length} that prompts and answers of the grid ` +
          'encoder and the prompt kinds that it was made for can have; leave out `pruneVocab`',
      );
    });
  }

  /** The kept rows [kept, width] of a whole table [vocabSize, width]. */
  cut(table: Float32Array, width: number): Float32Array {
    const rows = new Float32Array(this.kept.length * width);
    for (const [row, id] of this.kept.entries()) {
      rows.set(table.subarray(id * width, (id + 1) * width), row * width);
    }
    return rows;
  }

  /** Puts kept rows [kept, width] in their places of a whole table [vocabSize, width]. */
  restore(rows: Float32Array, table: Float32Array, width: number): void {
    for (const [row, id] of this.kept.entries()) {
      table.set(rows.subarray(row * width, (row + 1) * width), id * width);
    }
  }
}
