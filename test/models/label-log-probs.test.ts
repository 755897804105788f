import { beforeAll, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { labelLogProbsInParts } from '../../src/models/label-log-probs.js';
import { initBackend } from '../../src/tensors/backend.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import { headLogProbs, linear } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { relativeError } from '../parity/fixtures.js';

// 300 rows of 65,536 scores are more than are held at a time
const [rows, width, d] = [300, 65536, 2];

beforeAll(() => initBackend('wasm'));

it('over several parts: the values and gradients of the head in one piece', () => {
  const rng = Rng.of(1);
  const normals = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
  const x = tf.variable(tf.tensor2d(normals(rows * d), [rows, d]));
  const head = tf.variable(tf.tensor2d(normals(width * d), [width, d]));
  const labels = Int32Array.from({ length: rows }, () => rng.int(0, width - 1));
  const weights = tf.tensor1d(normals(rows));
  const gradientsOf = (f: () => tf.Tensor1D) =>
    variableGrads(() => tf.sum(tf.mul(f(), weights)) as tf.Scalar, [x, head]);
  const calls: number[] = [];
  const ours = gradientsOf(() =>
    labelLogProbsInParts({ width, trained: [head] }, x, labels, { training: true, rng }, (part) => {
      calls.push(part.shape[0]);
      return linear(part, head);
    }),
  );
  // each part once for its value and once for its gradient, from the last
  expect(calls).toEqual([256, 44, 44, 256]);
  const theirs = gradientsOf(() => headLogProbs(x, head, tf.tensor1d(labels, 'int32')));
  expect(ours.value.dataSync()[0]).toBeCloseTo(theirs.value.dataSync()[0]!, 2);
  for (const [name, gradient] of Object.entries(ours.grads)) {
    expect(relativeError(gradient, theirs.grads[name]!.dataSync()), name).toBeLessThan(1e-4);
  }
});

it('a label that is no row of the head is an error', () => {
  const x = tf.zeros<tf.Rank.R2>([1, 2]);
  const scores = () => tf.zeros<tf.Rank.R2>([1, 3]);
  const run = (label: number) =>
    labelLogProbsInParts({ width: 3, trained: [] }, x, Int32Array.of(label), { training: false }, scores);
  expect(() => run(3)).toThrow('label 3 is not in [0, 2]');
  expect(run(2).dataSync()[0]).toBeCloseTo(-Math.log(3), 6);
});
