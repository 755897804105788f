/** @file Which tokens may follow, with their log-probabilities: read where the search has to decide. */
import type { Decoder } from '../../models/decoder.js';
import * as tf from '../../tensors/tf.js';
import { largestOf, RowScores, rowsOf, sorted } from '../row-scores.js';

/** What may follow the beginning of an answer, in the model's own distribution (all tokens that the decoder has). */
export interface Continuations {
  /** Tokens that do not end the answer, the likeliest first, with their log-probabilities in nats. */
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
  /** Of the likeliest token that ends the answer; −Infinity where none may. */
  readonly end: number;
  /** No token that is missing from `tokens` is more likely than this. */
  readonly rest: number;
}

/** What one row of logits is asked for. */
export interface RowRequest {
  /** Ids of the tokens that may follow, ascending; all when absent. */
  readonly allowed?: Int32Array | undefined;
  /** Every token that is at least so likely, in nats, has to be found. */
  readonly least: number;
}

/** Tokens of a row that are brought to the host at first where all may follow; a flat distribution takes more. */
const FETCHED = 16;

/** Numbers of logits that are held at a time. */
const CHUNK_ELEMENTS = 1 << 24;

/** Reads what may follow, for many rows at once. */
export class ContinuationReader {
  readonly #decoder: Decoder;
  readonly #scores: RowScores;
  readonly #stopIds: ReadonlySet<number>;
  readonly #stopColumns: readonly number[];
  readonly #width: number;

  constructor(decoder: Decoder, stopIds: readonly number[]) {
    this.#decoder = decoder;
    const { cut } = decoder;
    this.#scores = new RowScores(cut);
    const kept = cut ? stopIds.filter((id) => cut.kept.includes(id)) : stopIds;
    this.#stopIds = new Set(kept);
    this.#stopColumns = Array.from(this.#scores.columnsOf(Int32Array.from(kept)));
    this.#width = cut?.kept.length ?? decoder.config.vocabSize;
  }

  /**
   * Answers a request for each of the given rows of hidden states [n, hiddenSize]; null where the model's numbers are
   * not finite.
   */
  async read(
    hidden: tf.Tensor2D,
    rows: readonly number[],
    requests: readonly RowRequest[],
  ): Promise<(Continuations | null)[]> {
    const found: (Continuations | null)[] = [];
    const bound = [...rows.keys()].filter((i) => requests[i]!.allowed !== undefined);
    const free = [...rows.keys()].filter((i) => requests[i]!.allowed === undefined);
    const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / this.#width));
    for (const [all, among] of [
      [bound, this.#amongAllowed],
      [free, this.#amongAll],
    ] as const) {
      for (let start = 0; start < all.length; start += step) {
        const chunk = all.slice(start, start + step);
        const own = chunk.map((i) => rows[i]!);
        const logits = tf.tidy(() => this.#decoder.logits(rowsOf(hidden, own)));
        try {
          const asked = chunk.map((i) => requests[i]!);
          const answers = await among.call(this, logits, asked);
          for (const [at, i] of chunk.entries()) found[i] = answers[at]!;
        } finally {
          logits.dispose();
        }
      }
    }
    return found;
  }

  async #amongAllowed(
    logits: tf.Tensor2D,
    requests: readonly RowRequest[],
  ): Promise<(Continuations | null)[]> {
    const lists = requests.map(({ allowed }) => allowed!);
    const scores = await this.#scores.ofTokens(logits, lists);
    return scores.map((row, i) => {
      const list = lists[i]!;
      const ends = [...list.keys()].filter((at) => this.#stopIds.has(list[at]!));
      const ranked = sorted(Float32Array.from(list), row.subarray(0, list.length));
      const ending = ends.map((at) => row[at]!);
      return this.#continuations(Array.from(ranked.columns), ranked.logits, ending, -Infinity, row.at(-1)!);
    });
  }

  async #amongAll(logits: tf.Tensor2D, requests: readonly RowRequest[]): Promise<(Continuations | null)[]> {
    const stops = this.#stopColumns.length;
    let k = Math.min(this.#width, FETCHED + stops);
    const found: (Continuations | null)[] = [];
    let left = [...requests.keys()];
    while (left.length > 0) {
      const asked = left.length === requests.length ? tf.clone(logits) : rowsOf(logits, left);
      const rows = await largestOf(asked, k, this.#stopColumns).finally(() => asked.dispose());
      const flat: number[] = [];
      for (const [at, row] of rows.entries()) {
        const { columns, logits: best } = sorted(row.subarray(0, k), row.subarray(k, 2 * k));
        const logSumExp = row.at(-1)!;
        const rest = k === this.#width ? -Infinity : best[k - 1]!;
        if (rest - logSumExp >= requests[left[at]!]!.least) flat.push(left[at]!);
        const tokens = Array.from(columns, (column) => this.#scores.tokenOf(column));
        const ending = Array.from(row.subarray(2 * k, 2 * k + stops));
        found[left[at]!] = this.#continuations(tokens, best, ending, rest, logSumExp);
      }
      left = flat;
      k = Math.min(this.#width, 8 * k);
    }
    return found;
  }

  #continuations(
    tokens: readonly number[],
    logits: Float32Array,
    ending: readonly number[],
    rest: number,
    logSumExp: number,
  ): Continuations | null {
    // one infinity or NaN in the row is in its sum
    if (!Number.isFinite(logSumExp)) return null;
    const kept = [...tokens.keys()].filter((i) => !this.#stopIds.has(tokens[i]!));
    return {
      tokens: kept.map((i) => tokens[i]!),
      logProbs: kept.map((i) => logits[i]! - logSumExp),
      end: Math.max(-Infinity, ...ending.map((logit) => logit - logSumExp)),
      rest: rest - logSumExp,
    };
  }
}
