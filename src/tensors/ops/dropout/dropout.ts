import { floatTypeOf, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/**
 * Sets each element of x [n, width] to zero with probability `rate` and scales the others by 1 / (1 − rate). Which ones
 * is a pure function of the seed, the name of the row (int32 [n]) and the column, the same on every backend: see
 * {@link dropoutBits}. So a row keeps its mask wherever it stands in a batch, given that its name stays.
 */
export function dropout(x: tf.Tensor2D, rate: number, seed: number, names: tf.Tensor1D): tf.Tensor2D {
  if (rate <= 0) return x;
  const [n, width] = x.shape;
  if (names.size !== n) throw new Error(`dropout: expected names of ${n} rows, found ${names.size}`);
  if (hasKernel('Dropout')) return runNamed('Dropout', { x, names }, { rate, seed });
  const mask = dropoutMask(names.dataSync() as Int32Array, width, rate, seed);
  return tf.mul(x, toFloatType(tf.tensor(mask, x.shape, 'float32'), floatTypeOf(x)));
}

tf.registerGradient({
  kernelName: 'Dropout',
  inputsToSave: ['names'],
  gradFunc: (dy, saved, attributes) => {
    const { rate, seed } = attributes as unknown as { rate: number; seed: number };
    const [names] = saved as [tf.Tensor1D];
    return {
      x: () => dropout(dy as tf.Tensor2D, rate, seed, names),
      names: () => tf.zerosLike(names),
    };
  },
});

/** The name of a row: of a token at a position of a sample, whatever else is in its batch. */
export const dropoutName = (sample: number, position: number): number =>
  dropoutBits(dropoutBits(0, sample), position) | 0;

/** What the hash of a column is multiplied by: spread, then Wellons' "lowbias32". */
export const DROPOUT_FACTORS = [0x9e3779b9, 0x7feb352d, 0x846ca68b] as const;

/** An element is dropped where its bits are below this. */
export const dropoutLimit = (rate: number): number => Math.min(2 ** 32 - 1, Math.ceil(rate * 2 ** 32));

/** 32 random bits: two rounds of a multiplicative hash over an index and a seed; of an element, `seed ^ name` is it. */
export function dropoutBits(seed: number, index: number): number {
  const [spread, first, second] = DROPOUT_FACTORS;
  let hash = Math.imul(index, spread) ^ seed;
  hash = Math.imul(hash ^ (hash >>> 16), first);
  hash = Math.imul(hash ^ (hash >>> 15), second);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function dropoutMask(names: Int32Array, width: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(names.length * width);
  const limit = dropoutLimit(rate);
  const keep = 1 / (1 - rate);
  for (const [row, name] of names.entries()) {
    for (let i = 0; i < width; i++) if (dropoutBits(seed ^ name, i) >= limit) mask[row * width + i] = keep;
  }
  return mask;
}
