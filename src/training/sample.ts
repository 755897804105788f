import type { TokenSpan } from '../prompts/answer-spans.js';

/** A tokenized example to learn from. */
export interface TrainingSample {
  /** Its place in the stream. */
  readonly index: number;
  /** Prompt, answer and end of turn. */
  readonly tokens: Int32Array;
  /** The tokens that the loss counts, ascending; the first token, which nothing precedes, is never among them. */
  readonly labelSpans: readonly TokenSpan[];
  /** The prompt kind's name. */
  readonly kind: string;
  /** The data set's label. */
  readonly dataset: string;
  /** What its loss is multiplied with. */
  readonly weight: number;
  /** How many train samples of its task it is made of, where the last were left out to fit; absent: all. */
  readonly examples?: number;
}
