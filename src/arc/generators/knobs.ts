/** How difficult and how large generated tasks are. */
export interface Knobs {
  /** No grid's side is longer. */
  readonly maxSize: number;
  /** Inputs are at least this high and wide, where the rule and `maxSize` leave the choice. */
  readonly minSize: number;
  /** How many colours besides the background a picture may have; rules that need more take more. */
  readonly colors: number;
  /** How many objects, points or lines a picture may have; rules that need more take more. */
  readonly objects: number;
  readonly trainSamples: number;
  readonly testSamples: number;
}

/** Middling difficulty. */
export const defaultKnobs: Knobs = {
  maxSize: 10,
  minSize: 3,
  colors: 4,
  objects: 4,
  trainSamples: 3,
  testSamples: 1,
};
