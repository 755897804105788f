import { Rng } from '../../src/common/rng.js';
import type { TrainingSample } from '../../src/training/sample.js';

/** Samples of ten tokens that are to be repeated. */
export const copyingSamples = (count: number): TrainingSample[] =>
  Array.from({ length: count }, (_, index) => {
    const rng = Rng.of(5, index);
    const tokens = Int32Array.from({ length: 20 }, (_, i) => (i < 10 ? rng.int(0, 9) : 0));
    for (let i = 10; i < 20; i++) tokens[i] = tokens[i - 10]!;
    return {
      index,
      tokens,
      labelSpans: [[10, 20]],
      kind: 'copy',
      dataset: 'data',
      weight: 1,
    } as TrainingSample;
  });
