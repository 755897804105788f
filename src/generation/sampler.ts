import type { VocabularyCut } from '../models/vocabulary-cut.js';
import { scoreColumns } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { isLimited, keptCount, pickToken, pickWeight, type SamplingOptions } from './choice.js';
import { largestOf, RowScores, read, rowsOf, sorted } from './row-scores.js';

/*
 * Where logits live on a device, bringing [rows, vocabulary] of them to the host each step costs more than the
 * choice. So candidates are found there, and only they come to the host, with the log-sum-exp of their row:
 * - under a grammar, the logits of the allowed tokens, mostly less than twenty;
 * - at temperature 0 the largest one, with top-k the k largest, with top-p and such limits as many as are nearly
 * always enough;
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
  readonly #scores: RowScores;

  /** @param cut which token each column of logits is for, where it is not the token of that id */
  constructor(options: SamplingOptions, cut?: VocabularyCut) {
    this.#options = options;
    this.#scores = new RowScores(cut);
  }

  /**
   * Chooses for each row of logits [rows, columns]; null where they are not finite, so that there is no choice.
   * @throws {RangeError} when nothing is allowed
   */
  async choose(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<(Chosen | null)[]> {
    const bound = [...choices.keys()].filter((row) => choices[row]!.allowed !== undefined);
    const free = [...choices.keys()].filter((row) => choices[row]!.allowed === undefined);
    const chosen: (Chosen | null)[] = [];
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

  async #amongAllowed(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<(Chosen | null)[]> {
    const lists = choices.map(({ allowed }) => allowed!);
    const scores = await this.#scores.ofTokens(logits, lists);
    return scores.map((row, i) => {
      const list = lists[i]!;
      const at = pickToken(row.subarray(0, list.length), choices[i]!.uniform, this.#options);
      return chosenOf(list[at]!, row[at]!, row.at(-1)!);
    });
  }

  async #amongAll(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<(Chosen | null)[]> {
    const { temperature, topK = -1 } = this.#options;
    const width = logits.shape[1];
    if (temperature === 0) return this.#amongBest(logits, choices, 1);
    if (topK > 0) return this.#amongBest(logits, choices, Math.min(topK, width));
    if (isLimited(this.#options)) return this.#amongNucleus(logits, choices);
    return this.#amongBlocks(logits, choices);
  }

  /** The k largest logits of each row decide. */
  async #amongBest(logits: tf.Tensor2D, choices: readonly Choice[], k: number): Promise<(Chosen | null)[]> {
    const rows = await largestOf(logits, k);
    return rows.map((row, i) => {
      const best = sorted(row.subarray(0, k), row.subarray(k, 2 * k));
      const at = pickToken(best.logits, choices[i]!.uniform, { ...this.#options, topK: -1 });
      return this.#chosen(best.columns[at]!, best.logits[at]!, row[2 * k]!);
    });
  }

  async #amongNucleus(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<(Chosen | null)[]> {
    const { temperature } = this.#options;
    const k = Math.min(NUCLEUS, logits.shape[1]);
    const rows = await read(() => {
      const best = tf.topk(logits, k).indices as tf.Tensor2D;
      const total = tf.logSumExp(tf.div(logits, temperature), 1, true);
      return tf.concat([tf.cast(best, 'float32'), scoreColumns(logits, best), total], 1) as tf.Tensor2D;
    });
    const chosen: (Chosen | null)[] = [];
    for (const [i, row] of rows.entries()) {
      let { columns, logits: values } = sorted(row.subarray(0, k), row.subarray(k, 2 * k));
      const total = row[2 * k + 1]!;
      let kept = keptCount(values, this.#options, total);
      if (kept === null) {
        // a distribution so flat that it takes more
        const [all] = await read(() => tf.slice(logits, [i, 0], [1, -1]));
        ({ columns, logits: values } = sorted(
          all!.map((_, column) => column),
          all!,
        ));
        kept = keptCount(values, this.#options, total) ?? values.length;
      }
      const at = pickToken(values.subarray(0, kept), choices[i]!.uniform, { temperature });
      chosen.push(this.#chosen(columns[at]!, values[at]!, row[2 * k]!));
    }
    return chosen;
  }

  /** Inverts the cumulative sum in two steps: which block of tokens, and which of its tokens. */
  async #amongBlocks(logits: tf.Tensor2D, choices: readonly Choice[]): Promise<(Chosen | null)[]> {
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

  #chosen(column: number, logit: number, logSumExp: number): Chosen | null {
    return chosenOf(this.#scores.tokenOf(column), logit, logSumExp);
  }
}

function chosenOf(token: number, logit: number, logSumExp: number): Chosen | null {
  const logProb = logit - logSumExp;
  // one infinity or NaN in the row is in its sum
  return Number.isFinite(logProb) ? { token, logProb } : null;
}
