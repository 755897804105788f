import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/** Numbers of one block, which share a scale. */
export const BLOCK = 256;

/** Steps of a code for each factor of two: neighbouring codes are 9 % apart. */
export const STEPS = 8;

/**
 * What kind of numbers are rounded: `signed` to one of 127 sizes and a sign, the smallest 2⁻¹⁶ of the largest, what is
 * below it to 0; `positive` to one of 255 sizes, the smallest 2⁻³² of the largest, and nothing but 0 to 0.
 */
export type RoundedKind = 'signed' | 'positive';

/**
 * Numbers that were rounded to 8 bits in blocks of 256, on a logarithmic scale that ends at each block's largest:
 * `words` int32 [blocks · 64] has four codes in each, the first in its lowest byte; `scales` [blocks] in float32.
 */
export interface RoundedBlocks {
  readonly words: tf.Tensor1D;
  readonly scales: tf.Tensor1D;
}

/** The largest code: that of a block's largest number. */
export const levelsOf = (kind: RoundedKind): number => (kind === 'signed' ? 127 : 255);

/** Rounds all elements of a tensor, in its order. Rounding what {@link wholeBlocks} gives changes nothing. */
export function roundBlocks(x: tf.Tensor, kind: RoundedKind): RoundedBlocks {
  if (hasKernel('RoundBlocks')) {
    const [words, scales] = runNamed<tf.Tensor[]>('RoundBlocks', { x }, { kind });
    return { words: words as tf.Tensor1D, scales: scales as tf.Tensor1D };
  }
  const values = x.dataSync<'float32'>();
  const blocks = Math.ceil(values.length / BLOCK);
  const codes = new Uint8Array(blocks * BLOCK);
  const scales = new Float32Array(blocks);
  const levels = levelsOf(kind);
  for (let block = 0; block < blocks; block++) {
    const [start, end] = [block * BLOCK, Math.min(values.length, (block + 1) * BLOCK)];
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
    scales[block] = largest;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (value === 0) continue;
      const code = Math.round(levels + STEPS * Math.log2(Math.abs(value) / largest));
      const size = Math.max(kind === 'signed' ? 0 : 1, code);
      codes[i] = value < 0 ? 256 - size : size;
    }
  }
  return { words: tf.tensor1d(new Int32Array(codes.buffer), 'int32'), scales: tf.tensor1d(scales) };
}

/** The numbers of rounded ones, in a tensor of the shape that they had. */
export function wholeBlocks({ words, scales }: RoundedBlocks, shape: number[], kind: RoundedKind): tf.Tensor {
  if (hasKernel('WholeBlocks')) return runNamed('WholeBlocks', { words, scales }, { shape, kind });
  const codes = new Uint8Array(Int32Array.from(words.dataSync<'int32'>()).buffer);
  const largest = scales.dataSync<'float32'>();
  const levels = levelsOf(kind);
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => {
    const code = codes[i]!;
    if (code === 0) return 0;
    const isNegative = kind === 'signed' && code > 127;
    const size = largest[i >> 8]! * 2 ** (((isNegative ? 256 - code : code) - levels) / STEPS);
    return isNegative ? -size : size;
  });
  return tf.tensor(values, shape);
}
