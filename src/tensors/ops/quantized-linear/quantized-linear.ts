import * as tf from '../../tf.js';
import { frozenLinear } from '../linear/linear.js';
import { hasKernel, runNamed, sumRows } from '../named.js';

/**
 * A matrix [out, in] of which every row is integers from −127 to 127 times a number of its own: four of them in each
 * word of `words`, int32 [out, in / 4], the first in its lowest byte; `scales` [out] in float32.
 */
export interface QuantizedMatrix {
  readonly words: tf.Tensor2D;
  readonly scales: tf.Tensor1D;
}

/** The matrix in float32: a new tensor [out, in]. */
export function dequantize({ words, scales }: QuantizedMatrix): tf.Tensor2D {
  if (hasKernel('Dequantize')) return runNamed('Dequantize', { words, scales });
  return tf.tidy(() => {
    const [out, columns] = words.shape;
    // the plain form reads the words back: tfjs has no way to take them apart that keeps 32 bits on every backend
    const integers = new Int8Array(Int32Array.from(words.dataSync<'int32'>()).buffer);
    const whole = tf.tensor2d(Float32Array.from(integers), [out, 4 * columns]);
    return tf.mul(whole, tf.expandDims(scales, 1));
  });
}

/**
 * x · matrixᵀ + bias, in x's type; the gradient is for x and bias, and nothing of the matrix's size is kept for it.
 * @param x [n, in]
 * @param bias [out]
 * @returns [n, out]
 */
export function quantizedLinear(
  x: tf.Tensor2D,
  { words, scales }: QuantizedMatrix,
  bias?: tf.Tensor1D,
): tf.Tensor2D {
  if (!hasKernel('QuantizedLinear')) return frozenLinear(x, dequantize({ words, scales }), bias);
  return runNamed('QuantizedLinear', { x, words, scales, ...(bias ? { bias } : {}) });
}

tf.registerGradient({
  kernelName: 'QuantizedLinear',
  inputsToSave: ['words', 'scales'],
  gradFunc: (dy, saved) => {
    const [words, scales] = saved as [tf.Tensor2D, tf.Tensor1D];
    const constant = (): never => {
      throw new Error('a quantized matrix has no gradient');
    };
    return {
      x: () => runNamed<tf.Tensor>('QuantizedLinearGrad', { dy: dy as tf.Tensor, words, scales }),
      words: constant,
      scales: constant,
      bias: () => sumRows(dy as tf.Tensor),
    };
  },
});

/** A matrix [out, in] on the host, rounded so. `in` has to be a multiple of four. */
export function quantizeRows(
  values: Float32Array,
  width: number,
): { words: Int32Array; scales: Float32Array } {
  const scales = new Float32Array(values.length / width);
  const bytes = new Int8Array(values.length);
  for (let row = 0; row < scales.length; row++) {
    const [start, end] = [row * width, (row + 1) * width];
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = Math.fround(largest / 127);
    scales[row] = scale;
    if (scale > 0) for (let i = start; i < end; i++) bytes[i] = Math.round(values[i]! / scale);
  }
  return { words: new Int32Array(bytes.buffer), scales };
}

/** Bytes of such a matrix, in the types that backends keep. */
export const quantizedBytes = (out: number, width: number): number => out * width + 4 * out;
