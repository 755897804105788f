/** @file What of logits comes to the host: some columns of each row, and the log-sum-exp of all of them. */
import type { VocabularyCut } from '../models/vocabulary-cut.js';
import { scoreColumns } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';

/** Candidates of one row, the likeliest first. */
export interface RankedColumns {
  readonly columns: Float32Array;
  readonly logits: Float32Array;
}

/** Reads logits [rows, columns] of a decoder whose vocabulary may be cut. */
export class RowScores {
  readonly #cut: VocabularyCut | undefined;
  /** A grammar hands out the same list for the same state. */
  readonly #columns = new WeakMap<Int32Array, Int32Array>();

  /** @param cut which token each column of logits is for, where it is not the token of that id */
  constructor(cut?: VocabularyCut) {
    this.#cut = cut;
  }

  /** The token of a column. */
  tokenOf(column: number): number {
    return this.#cut?.kept[column] ?? column;
  }

  /** The columns of tokens. @throws {VocabularyCutError} for one that is not kept */
  columnsOf(tokens: Int32Array): Int32Array {
    if (!this.#cut) return tokens;
    let columns = this.#columns.get(tokens);
    if (!columns) {
      columns = this.#cut.rows(tokens);
      this.#columns.set(tokens, columns);
    }
    return columns;
  }

  /**
   * The logits of the tokens of each row's own list, in its order, and last the log-sum-exp of the row; between them
   * may be more columns, which mean nothing.
   * @throws {RangeError} when a list is empty
   */
  async ofTokens(logits: tf.Tensor2D, lists: readonly Int32Array[]): Promise<Float32Array[]> {
    const columns = lists.map((list) => this.columnsOf(list));
    const width = columns.reduce((most, { length }) => Math.max(most, length), 0);
    const index = new Int32Array(columns.length * width);
    for (const [row, own] of columns.entries()) {
      if (own.length === 0) throw new RangeError('no token is allowed');
      index.fill(own[0]!, row * width, (row + 1) * width).set(own, row * width);
    }
    return read(() => scoreColumns(logits, tf.tensor2d(index, [columns.length, width], 'int32')));
  }
}

/**
 * The k largest logits of each row, then those of the columns `also`, and the log-sum-exp of the row:
 * [k columns, k logits, logits of `also`, log-sum-exp].
 */
export function largestOf(
  logits: tf.Tensor2D,
  k: number,
  also: readonly number[] = [],
): Promise<Float32Array[]> {
  return read(() => {
    const best = k === 1 ? tf.expandDims(tf.argMax(logits, 1), 1) : tf.topk(logits, k).indices;
    const asked = [
      best,
      tf.tile(tf.tensor2d([also as number[]], [1, also.length], 'int32'), [logits.shape[0], 1]),
    ];
    const columns = also.length === 0 ? best : tf.concat(asked, 1);
    // ids are below 2²⁴, so that a float32 holds them
    return tf.concat(
      [tf.cast(best, 'float32'), scoreColumns(logits, columns as tf.Tensor2D)],
      1,
    ) as tf.Tensor2D;
  });
}

/** Rows of a matrix. */
export function rowsOf(matrix: tf.Tensor2D, rows: readonly number[]): tf.Tensor2D {
  return tf.tidy(() => tf.gather(matrix, tf.tensor1d(rows as number[], 'int32')));
}

/** The rows of a matrix that is computed and given back. */
export async function read(compute: () => tf.Tensor2D): Promise<Float32Array[]> {
  const matrix = tf.tidy(compute);
  const [rows, width] = matrix.shape;
  const values = (await matrix.data()) as Float32Array;
  matrix.dispose();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

/** Candidates with the largest logit first, the lowest column among equals. */
export function sorted(columns: Float32Array, logits: Float32Array): RankedColumns {
  const order = [...columns.keys()].sort((a, b) => logits[b]! - logits[a]! || columns[a]! - columns[b]!);
  return {
    columns: Float32Array.from(order, (i) => columns[i]!),
    logits: Float32Array.from(order, (i) => logits[i]!),
  };
}
