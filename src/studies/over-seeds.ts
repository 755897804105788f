/** Several runs of a flow that differ in their seeds. */

/** From one seed to the next: flows draw tasks from the seeds beside their own. */
const STRIDE = 100;

/** The seeds of a repeated flow. */
export const seedsFrom = (seed: number, seeds: number): number[] =>
  Array.from({ length: seeds }, (_, i) => seed + STRIDE * i);
