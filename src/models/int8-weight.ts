import { type FloatType, toFloatType } from '../tensors/float-type.js';
import { dequantize, type QuantizedMatrix, quantizedLinear, softCapped } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { labelLogProbsInParts } from './label-log-probs.js';
import { bytesOf, type HeadPass, type NamedTensors, type Weight } from './weight.js';

/**
 * A matrix that was rounded to int8, each row with a scale of its own: a quarter of float32's bytes, half of float16's.
 * It is multiplied in the type of what it meets, for which one matrix at a time is made whole. Adapters stay beside it:
 * a sum with them would be rounded again.
 */
export class Int8Weight implements Weight {
  readonly #matrix: QuantizedMatrix;
  readonly floatType: FloatType;
  readonly changed = false;
  readonly takesSums = false;

  /** @param floatType what results are wanted in */
  constructor(matrix: QuantizedMatrix, floatType: FloatType) {
    this.#matrix = matrix;
    this.floatType = floatType;
  }

  get shape(): [out: number, input: number] {
    const [out, columns] = this.#matrix.words.shape;
    return [out, 4 * columns];
  }

  get bytes(): number {
    return bytesOf(this.#matrix.words) + bytesOf(this.#matrix.scales);
  }

  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined): tf.Tensor2D {
    return quantizedLinear(x, this.#matrix, bias);
  }

  rows(ids: tf.Tensor1D): tf.Tensor2D {
    return tf.tidy(() => {
      const words = tf.gather(this.#matrix.words, ids);
      return toFloatType(dequantize({ words, scales: tf.gather(this.#matrix.scales, ids) }), this.floatType);
    });
  }

  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, pass: HeadPass): tf.Tensor1D {
    return labelLogProbsInParts({ width: this.shape[0], trained: [] }, x, labels, pass, (rows) =>
      softCapped(toFloatType(this.multiply(rows, undefined), 'float32'), pass.softCap),
    );
  }

  dense(): tf.Tensor2D {
    return dequantize(this.#matrix);
  }

  baseTensors(): NamedTensors {
    return [
      ['weight', this.#matrix.words],
      ['weight_scale', this.#matrix.scales],
    ];
  }

  merged(): Weight {
    return this;
  }

  unmerged(): Weight {
    return this;
  }

  dispose(): void {
    tf.dispose([this.#matrix.words, this.#matrix.scales]);
  }
}
