import { floatTypeOf, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/**
 * Sets each element to zero with probability `rate` and scales the others by 1 / (1 − rate). Which ones is a
 * pure function of the seed and the element's index, the same on every backend: {@link dropoutBits}.
 */
export function dropout<T extends tf.Tensor>(x: T, rate: number, seed: number): T {
  if (rate <= 0) return x;
  if (hasKernel('Dropout')) return runNamed('Dropout', { x }, { rate, seed });
  const mask = tf.tensor(dropoutMask(x.size, rate, seed), x.shape, 'float32');
  return tf.mul(x, toFloatType(mask, floatTypeOf(x)));
}

tf.registerGradient({
  kernelName: 'Dropout',
  gradFunc: (dy, _saved, attributes) => {
    const { rate, seed } = attributes as unknown as { rate: number; seed: number };
    return { x: () => dropout(dy as tf.Tensor, rate, seed) };
  },
});

/** What a hash of an element's index is multiplied by: spread, then Wellons' "lowbias32". */
export const DROPOUT_FACTORS = [0x9e3779b9, 0x7feb352d, 0x846ca68b] as const;

/** An element is dropped where its bits are below this. */
export const dropoutLimit = (rate: number): number => Math.min(2 ** 32 - 1, Math.ceil(rate * 2 ** 32));

/** 32 random bits of an element: two rounds of a multiplicative hash over its index and the seed. */
export function dropoutBits(seed: number, index: number): number {
  const [spread, first, second] = DROPOUT_FACTORS;
  let hash = Math.imul(index, spread) ^ seed;
  hash = Math.imul(hash ^ (hash >>> 16), first);
  hash = Math.imul(hash ^ (hash >>> 15), second);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function dropoutMask(size: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(size);
  const limit = dropoutLimit(rate);
  const keep = 1 / (1 - rate);
  for (let i = 0; i < size; i++) if (dropoutBits(seed, i) >= limit) mask[i] = keep;
  return mask;
}
