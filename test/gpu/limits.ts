/** @file Attention with sliding windows and soft caps, and over more positions than a block of the kernels holds. */
import { type AttentionLimits, cachedAttention, packedAttention } from '../../src/tensors/ops/index.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { type Case, compareCases } from './conformance.js';

/** Samples of which one is longer than two blocks of 128 positions. */
const segments = Int32Array.from([0, 37, 38, 300]);
/** Rows that read a cache of 300 positions: a run of five, single ones before, in and behind the first block. */
const slots = [2, 2, 2, 2, 2, 0, 3, 1];
const lengths = [255, 256, 257, 258, 259, 300, 129, 1];

/**
 * A prompt that goes on after cached positions: the last of 65 rows is alone in a block of the memory-efficient kernel,
 * and with a window of 100 the mask of its first piece begins between multiples of eight.
 */
const prompt = { rows: 65, first: 97 };

const cases: Record<string, AttentionLimits> = {
  'no limit': {},
  'window 100': { window: 100 },
  'cap 1.5': { softCap: 1.5 },
  'cap 1.5, window 100': { softCap: 1.5, window: 100 },
};

/** @returns what failed */
export function limits(device: string, types: readonly FloatType[]): Promise<string[]> {
  const all = Object.entries(cases).flatMap(([name, limit]): Case[] => [
    {
      name: `packed, ${name}`,
      shapes: [
        [300, 4, 64],
        [300, 2, 64],
        [300, 2, 64],
      ],
      f: (q, k, v) =>
        packedAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, segments, 0.125, limit),
      gradient: true,
    },
    {
      name: `cached, ${name}`,
      shapes: [
        [8, 4, 64],
        [4, 2, 300, 64],
        [4, 2, 300, 64],
      ],
      f: (q, keys, values) =>
        cachedAttention(
          q as tf.Tensor3D,
          keys as tf.Tensor4D,
          values as tf.Tensor4D,
          tf.tensor1d(slots, 'int32'),
          tf.tensor1d(lengths, 'int32'),
          0.125,
          limit,
        ),
      gradient: false,
    },
    {
      name: `a prompt, ${name}`,
      shapes: [
        [prompt.rows, 4, 64],
        [2, 2, 200, 64],
        [2, 2, 200, 64],
      ],
      f: (q, keys, values) =>
        cachedAttention(
          q as tf.Tensor3D,
          keys as tf.Tensor4D,
          values as tf.Tensor4D,
          tf.tensor1d(new Array<number>(prompt.rows).fill(1), 'int32'),
          tf.tensor1d(
            Array.from({ length: prompt.rows }, (_, i) => prompt.first + i),
            'int32',
          ),
          0.125,
          limit,
        ),
      gradient: false,
    },
  ]);
  return compareCases(device, types, all);
}
