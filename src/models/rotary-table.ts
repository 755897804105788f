import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';

/**
 * The angle per position of each pair of dimensions, and the factor on cos and sin: [rotaryDim / 2].
 * @param length of the sequence in tokens, which some kinds of scaling ask for
 */
function rotaryFrequencies(config: DecoderConfig, length = 0): { frequencies: Float64Array; factor: number } {
  const { headDim, rotaryDim: width = headDim, ropeTheta, ropeScaling: scaling } = config;
  const half = width / 2;
  const ofBase = (base: number) => Float64Array.from({ length: half }, (_, i) => base ** (-i / half));
  const plain = ofBase(ropeTheta);
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
        (width * Math.log(scaling.originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) /
        (2 * Math.log(ropeTheta));
      let low = dimensionOf(scaling.betaFast);
      let high = dimensionOf(scaling.betaSlow);
      if (scaling.truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
      low = Math.max(low, 0);
      high = Math.min(high, width - 1);
      if (low === high) high += 0.001;
      const frequencies = plain.map((frequency, i) => {
        const stretched = Math.min(1, Math.max(0, (i - low) / (high - low)));
        return (stretched * frequency) / scaling.factor + (1 - stretched) * frequency;
      });
      return { frequencies, factor: scaling.attentionFactor };
    }
    case 'dynamic': {
      // NTK-aware: a larger base, so that the slowest pair turns as far as it did over the longest known sequence
      const stretch = scaling.factor * (sharedLength(config, length) / config.maxPositionEmbeddings - 1) + 1;
      return { frequencies: ofBase(ropeTheta * stretch ** (width / (width - 2))), factor: 1 };
    }
    case 'longrope': {
      const isLong = length > scaling.originalMaxPositionEmbeddings;
      const divisors = isLong ? scaling.longFactors : scaling.shortFactors;
      return {
        frequencies: plain.map((frequency, i) => frequency / divisors[i]!),
        factor: scaling.attentionFactor,
      };
    }
  }
}

/** Whether the frequencies of a sequence depend on how long it is. */
export function dependsOnLength({ ropeScaling: scaling }: Pick<DecoderConfig, 'ropeScaling'>): boolean {
  return scaling?.type === 'dynamic' || scaling?.type === 'longrope';
}

/** One length for all those that have the same frequencies. */
export function sharedLength(
  { ropeScaling: scaling, maxPositionEmbeddings }: DecoderConfig,
  length: number,
): number {
  if (scaling?.type === 'dynamic') return Math.max(length, maxPositionEmbeddings);
  if (scaling?.type !== 'longrope') return 0;
  const { originalMaxPositionEmbeddings: original } = scaling;
  return length > original ? original + 1 : original;
}

/** The factors on the queries of tokens by their positions: [n]; undefined where all of them are one. */
export function queryScales(
  { queryScale }: Pick<DecoderConfig, 'queryScale'>,
  positions: Int32Array,
): Float32Array | undefined {
  if (!queryScale) return undefined;
  const { beta, originalMaxPositionEmbeddings: original } = queryScale;
  if (positions.every((position) => position < original)) return undefined;
  return Float32Array.from(positions, (position) => 1 + beta * Math.log(1 + Math.floor(position / original)));
}

/** cos and sin [n, rotaryDim / 2] of n tokens. */
export interface RotaryRows {
  cos: tf.Tensor2D;
  sin: tf.Tensor2D;
}

/**
 * cos and sin by position. The table of short sequences is kept on the device and grown when a longer position is
 * asked for; rows of sequences whose length gives them frequencies of their own are computed when they are asked for.
 */
export class RotaryTable {
  readonly #config: DecoderConfig;
  #length = 0;
  #cos: tf.Tensor2D | undefined;
  #sin: tf.Tensor2D | undefined;

  constructor(config: DecoderConfig) {
    this.#config = config;
  }

  /**
   * The rows of tokens.
   * @param ids their positions once more, on the device
   * @param lengths of the sequence of each token; only asked for where frequencies depend on it
   */
  rows(ids: tf.Tensor1D, positions: Int32Array, lengths?: Int32Array): RotaryRows {
    const least = sharedLength(this.#config, 0);
    if (dependsOnLength(this.#config) && lengths?.some((n) => sharedLength(this.#config, n) !== least)) {
      return this.#compute(positions, lengths);
    }
    let length = 0;
    for (const position of positions) length = Math.max(length, position + 1);
    if (length > this.#length) this.#grow(length);
    return { cos: tf.gather(this.#cos!, ids), sin: tf.gather(this.#sin!, ids) };
  }

  #compute(positions: Int32Array, lengths?: Int32Array): RotaryRows {
    const { headDim, rotaryDim = headDim } = this.#config;
    const half = rotaryDim / 2;
    const cos = new Float32Array(positions.length * half);
    const sin = new Float32Array(positions.length * half);
    const known = new Map<number, ReturnType<typeof rotaryFrequencies>>();
    for (const [row, position] of positions.entries()) {
      const length = sharedLength(this.#config, lengths?.[row] ?? 0);
      const found = known.get(length) ?? rotaryFrequencies(this.#config, length);
      known.set(length, found);
      for (let i = 0; i < half; i++) {
        // single precision, as the reference computes it: the angle of a far position depends on it
        const angle = Math.fround(position * Math.fround(found.frequencies[i]!));
        cos[row * half + i] = Math.cos(angle) * found.factor;
        sin[row * half + i] = Math.sin(angle) * found.factor;
      }
    }
    const shape: [number, number] = [positions.length, half];
    return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
  }

  #grow(length: number): void {
    this.dispose();
    this.#length = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
    const { cos, sin } = this.#compute(Int32Array.from({ length: this.#length }, (_, i) => i));
    this.#cos = tf.keep(cos);
    this.#sin = tf.keep(sin);
  }

  dispose(): void {
    this.#cos?.dispose();
    this.#sin?.dispose();
    this.#length = 0;
  }
}
