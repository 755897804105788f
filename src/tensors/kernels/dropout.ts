import { floatTypeOf, toFloatType } from '../float-type.js';
import * as tf from '../tf.js';
import { hasKernel, runNamed } from './named.js';

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

/** 32 random bits of an element: two rounds of a multiplicative hash (Wellons' "lowbias32") over seed + index. */
export function dropoutBits(seed: number, index: number): number {
  let hash = (Math.imul(index, 0x9e3779b9) + seed) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function dropoutMask(size: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(size);
  const threshold = rate * 2 ** 32;
  const keep = 1 / (1 - rate);
  for (let i = 0; i < size; i++) if (dropoutBits(seed, i) >= threshold) mask[i] = keep;
  return mask;
}
