import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';

/** The angle per position of each pair of dimensions, and the factor on cos and sin: [headDim / 2]. */
export function rotaryFrequencies(config: DecoderConfig): { frequencies: Float64Array; factor: number } {
  const { headDim, ropeTheta, ropeScaling: scaling } = config;
  const half = headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => ropeTheta ** (-i / half));
  if (!scaling) return { frequencies: plain, factor: 1 };
  switch (scaling.type) {
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), factor: 1 };
    case 'llama3': {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
      const frequencies = plain.map((frequency) => {
        const turns = (scaling.originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
        // slow dimensions are stretched, fast ones kept, those between are blended
        const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
        return kept * frequency + ((1 - kept) * frequency) / factor;
      });
      return { frequencies, factor: 1 };
    }
    case 'yarn': {
      // https://arxiv.org/abs/2309.00071, with the ramp over dimensions of its published code
      const dimensionOf = (turns: number) =>
        (headDim * Math.log(scaling.originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) /
        (2 * Math.log(ropeTheta));
      let low = dimensionOf(scaling.betaFast);
      let high = dimensionOf(scaling.betaSlow);
      if (scaling.truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
      low = Math.max(low, 0);
      high = Math.min(high, headDim - 1);
      if (low === high) high += 0.001;
      const frequencies = plain.map((frequency, i) => {
        const stretched = Math.min(1, Math.max(0, (i - low) / (high - low)));
        return (stretched * frequency) / scaling.factor + (1 - stretched) * frequency;
      });
      return { frequencies, factor: scaling.attentionFactor };
    }
  }
}

/** cos and sin by position, kept on the device and grown when a longer position is asked for. */
export class RotaryTable {
  readonly #frequencies: Float64Array;
  readonly #factor: number;
  #length = 0;
  #cos: tf.Tensor2D | undefined;
  #sin: tf.Tensor2D | undefined;

  constructor(config: DecoderConfig) {
    const { frequencies, factor } = rotaryFrequencies(config);
    // single precision, as the reference computes them: the angle of a far position depends on it
    this.#frequencies = frequencies.map(Math.fround);
    this.#factor = factor;
  }

  /** cos and sin [n, headDim / 2] of positions below `length`. */
  rows(positions: tf.Tensor1D, length: number): { cos: tf.Tensor2D; sin: tf.Tensor2D } {
    if (length > this.#length) this.#grow(length);
    return { cos: tf.gather(this.#cos!, positions), sin: tf.gather(this.#sin!, positions) };
  }

  #grow(length: number): void {
    this.dispose();
    this.#length = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
    const half = this.#frequencies.length;
    const cos = new Float32Array(this.#length * half);
    const sin = new Float32Array(this.#length * half);
    for (let position = 0; position < this.#length; position++) {
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * this.#frequencies[i]!);
        cos[position * half + i] = Math.cos(angle) * this.#factor;
        sin[position * half + i] = Math.sin(angle) * this.#factor;
      }
    }
    this.#cos = tf.keep(tf.tensor2d(cos, [this.#length, half]));
    this.#sin = tf.keep(tf.tensor2d(sin, [this.#length, half]));
  }

  dispose(): void {
    this.#cos?.dispose();
    this.#sin?.dispose();
    this.#length = 0;
  }
}
