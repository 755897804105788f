import type { VocabularyCut } from '../models/vocabulary-cut.js';
import { scoreColumns } from '../tensors/kernels/index.js';
import * as tf from '../tensors/tf.js';
import { nucleus, pick, pickWeight, type SamplingOptions } from './choice.js';

/*
 * Where logits live on a device, bringing [rows, vocabulary] of them to the host each step costs more than the
 * choice. So candidates are found there, and only they come to the host, with the log-sum-exp of their row:
 * - under a grammar, the logits of the allowed tokens, mostly less than twenty;
 * - at temperature 0 the largest one, with top-k the k largest, with top-p as many as nearly always hold p;
 * - otherwise the weights of blocks of tokens, and then the logits of the block that the draw falls into.
 * The last choice is made on the host in double precision by the same code in all cases.
 */

/** What one row of logits is asked for. */
export interface Choice {
  /** Ids of the tokens that may be chosen, ascending; all when absent. */
  allowed?: Int32Array | undefined;
  /** A number in [0, 1) that decides the draw. Unused when the temperature is 0. */
  uniform: number;
}

/** A chosen token and its log-probability in the model's own distribution (temperature 1, all that it has). */
export interface Chosen {
  token: number;
  logProb: number;
}

/** Candidates for top-p that are brought to the host at first. */
const NUCLEUS = 1024;

/** Tokens of a block. */
const BLOCK = 256;

/** Chooses one token for each row of logits. */
export class Sampler {
  readonly #options: SamplingOptions;
  readonly #cut: VocabularyCut | undefined;
  /** A grammar hands out the same list for the same state. */
  readonly #columns = new WeakMap<Int32Array, Int32Array>();

  /** @param cut which token each column of logits is for, where it is not the token of that id */
  constructor(options: SamplingOptions, cut?: VocabularyCut) {
    this.#options = options;
    this.#cut = cut;
  }

  /**
   * Chooses for each row of logits [rows, columns].
   * @throws when nothing is allowed or logits are not numbers
   */
  async choose(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<Chosen[]> {
    const bound = [...choices.keys()].filter((row) => choices[row]!.allowed !== undefined);
    const free = [...choices.keys()].filter((row) => choices[row]!.allowed === undefined);
    const chosen: Chosen[] = [];
    for (const [rows, among] of [
      [bound, this.#amongAllowed],
      [free, this.#amongAll],
    ] as const) {
      if (rows.length === 0) continue;
      const own = rows.length === choices.length ? tf.clone(logits) : rowsOf(logits, rows);
      const asked = rows.map((row) => choices[row]!);
      try {
        const picked = await among.call(this, own, asked);
        for (const [i, row] of rows.entries()) chosen[row] = picked[i]!;
      } finally {
        own.dispose();
      }
    }
    return chosen;
  }

  async #amongAllowed(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<Chosen[]> {
    const columns = choices.map(({ allowed }) => this.#columnsOf(allowed!));
    const width = columns.reduce((most, { length }) => Math.max(most, length), 0);
    const index = new Int32Array(columns.length * width);
    for (const [row, own] of columns.entries()) {
      if (own.length === 0) throw new RangeError('no token is allowed');
      index.fill(own[0]!, row * width, (row + 1) * width).set(own, row * width);
    }
    const scores = await read(() =>
      scoreColumns(logits, tf.tensor2d(index, [columns.length, width], 'int32')),
    );
    return scores.map((row, i) => {
      const at = pick(row.subarray(0, columns[i]!.length), choices[i]!.uniform, this.#options);
      return chosenOf(choices[i]!.allowed![at]!, row[at]!, row[width]!);
    });
  }

  #columnsOf(allowed: Int32Array): Int32Array {
    if (!this.#cut) return allowed;
    let columns = this.#columns.get(allowed);
    if (!columns) {
      columns = this.#cut.rows(allowed);
      this.#columns.set(allowed, columns);
    }
    return columns;
  }

  async #amongAll(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<Chosen[]> {
    const { temperature, topK = -1, topP = 1 } = this.#options;
    const width = logits.shape[1];
    if (temperature === 0) return this.#amongBest(logits, choices, 1);
    if (topK > 0) return this.#amongBest(logits, choices, Math.min(topK, width));
    if (topP < 1) return this.#amongNucleus(logits, choices);
    return this.#amongBlocks(logits, choices);
  }

  /** The k largest logits of each row decide. */
  async #amongBest(logits: tf.Tensor2D, choices: readonly Choice[], k: number): Promise<Chosen[]> {
    const rows = await read(() => {
      const best = k === 1 ? tf.expandDims(tf.argMax(logits, 1), 1) : tf.topk(logits, k).indices;
      // ids are below 2²⁴, so that a float32 holds them
      return tf.concat(
        [tf.cast(best, 'float32'), scoreColumns(logits, best as tf.Tensor2D)],
        1,
      ) as tf.Tensor2D;
    });
    return rows.map((row, i) => {
      const best = sorted(row.subarray(0, k), row.subarray(k, 2 * k));
      const at = pick(best.logits, choices[i]!.uniform, { ...this.#options, topK: -1 });
      return this.#chosen(best.columns[at]!, best.logits[at]!, row[2 * k]!);
    });
  }

  async #amongNucleus(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<Chosen[]> {
    const { temperature, topP = 1 } = this.#options;
    const k = Math.min(NUCLEUS, logits.shape[1]);
    const rows = await read(() => {
      const best = tf.topk(logits, k).indices as tf.Tensor2D;
      const total = tf.logSumExp(tf.div(logits, temperature), 1, true);
      return tf.concat([tf.cast(best, 'float32'), scoreColumns(logits, best), total], 1) as tf.Tensor2D;
    });
    const chosen: Chosen[] = [];
    for (const [i, row] of rows.entries()) {
      let { columns, logits: values } = sorted(row.subarray(0, k), row.subarray(k, 2 * k));
      const total = row[2 * k + 1]!;
      let kept = nucleus(values, temperature, topP, total);
      if (kept === null) {
        // a distribution so flat that it takes more
        const [all] = await read(() => tf.slice(logits, [i, 0], [1, -1]));
        ({ columns, logits: values } = sorted(
          all!.map((_, column) => column),
          all!,
        ));
        kept = nucleus(values, temperature, topP, total) ?? values.length;
      }
      const at = pick(values.subarray(0, kept), choices[i]!.uniform, { temperature });
      chosen.push(this.#chosen(columns[at]!, values[at]!, row[2 * k]!));
    }
    return chosen;
  }

  /** Inverts the cumulative sum in two steps: which block of tokens, and which of its tokens. */
  async #amongBlocks(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<Chosen[]> {
    const { temperature } = this.#options;
    const [count, width] = logits.shape;
    const blocks = Math.ceil(width / BLOCK);
    const padded = tf.tidy(() =>
      tf.reshape(
        tf.pad(
          logits,
          [
            [0, 0],
            [0, blocks * BLOCK - width],
          ],
          -Infinity,
        ),
        [count * blocks, BLOCK],
      ),
    ) as tf.Tensor2D;
    try {
      const rows = await read(() => {
        const largest = tf.max(logits, 1, true);
        const scaled = tf.div(tf.sub(tf.reshape(padded, [count, -1]), largest), temperature);
        const weights = tf.sum(tf.reshape(tf.exp(scaled), [count, blocks, BLOCK]), 2);
        return tf.concat([weights, largest, tf.logSumExp(logits, 1, true)], 1) as tf.Tensor2D;
      });
      const places = rows.map((row, i) => {
        const weights = row.subarray(0, blocks);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return pickWeight(weights, choices[i]!.uniform * total);
      });
      const inBlock = await read(() =>
        rowsOf(
          padded,
          places.map(({ at }, i) => i * blocks + at),
        ),
      );
      return inBlock.map((values, i) => {
        const [largest, logSumExp] = rows[i]!.subarray(blocks) as unknown as [number, number];
        const weights = Float64Array.from(values, (value) => Math.exp((value - largest) / temperature));
        const { at } = pickWeight(weights, places[i]!.rest);
        return this.#chosen(places[i]!.at * BLOCK + at, values[at]!, logSumExp);
      });
    } finally {
      padded.dispose();
    }
  }

  #chosen(column: number, logit: number, logSumExp: number): Chosen {
    return chosenOf(this.#cut?.kept[column] ?? column, logit, logSumExp);
  }
}

function chosenOf(token: number, logit: number, logSumExp: number): Chosen {
  const logProb = logit - logSumExp;
  if (Number.isNaN(logProb)) throw new Error('the model gave logits that are not numbers');
  return { token, logProb };
}

function rowsOf(matrix: tf.Tensor2D, rows: readonly number[]): tf.Tensor2D {
  return tf.tidy(() => tf.gather(matrix, tf.tensor1d(rows as number[], 'int32')));
}

/** The rows of a matrix that is computed and given back. */
async function read(compute: () => tf.Tensor2D): Promise<Float32Array[]> {
  const matrix = tf.tidy(compute);
  const [rows, width] = matrix.shape;
  const values = (await matrix.data()) as Float32Array;
  matrix.dispose();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

/** Candidates with the largest logit first, the lowest column among equals. */
function sorted(
  columns: Float32Array,
  logits: Float32Array,
): { columns: Float32Array; logits: Float32Array } {
  const order = [...columns.keys()].sort((a, b) => logits[b]! - logits[a]! || columns[a]! - columns[b]!);
  return {
    columns: Float32Array.from(order, (i) => columns[i]!),
    logits: Float32Array.from(order, (i) => logits[i]!),
  };
}
