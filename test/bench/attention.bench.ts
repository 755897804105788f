/** Attention within limits, a window or capped scores, against attention to everything. */
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import { type AttentionLimits, cachedAttention, packedAttention } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { torchIsPresent } from '../../src/tensors/torch/locate.js';
import { medianMs, row } from './report.js';

/** Queries and positions, query and key-value heads, width of a head: Qwen2-0.5B's. */
const [length, heads, keyHeads, headDim, slots] = [2048, 14, 2, 64, 8];

const LIMITS: [name: string, limits: AttentionLimits][] = [
  ['all', {}],
  ['a window of 256', { window: 256 }],
  ['scores capped', { softCap: 50 }],
];

export async function run(): Promise<void> {
  console.log(`attention, ${length} positions, ${heads} heads of ${headDim} over ${keyHeads}, beside all`);
  for (const backend of torchIsPresent() ? ['wasm', 'torch'] : ['wasm']) {
    await initBackend(backend);
    const rng = Rng.of(1, 'bench');
    const make = (...shape: number[]) =>
      tf.variable(
        tf.tensor(
          Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
          shape,
        ),
      );
    const packed = [heads, keyHeads, keyHeads].map((n) => make(length, n, headDim));
    const [keys, values] = [0, 1].map(() => make(slots, keyHeads, length, headDim)) as tf.Variable[];
    const rows = make(slots, heads, headDim) as tf.Tensor as tf.Tensor3D;
    const segments = Int32Array.of(0, length);
    const ids = tf.range(0, slots, 1, 'int32');
    // answers that have come to different places
    const lengths = tf.tensor1d(
      Array.from({ length: slots }, (_, i) => length - 100 * i),
      'int32',
    );
    const attend = (limits: AttentionLimits) => {
      const [q, k, v] = packed as unknown as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
      return packedAttention(q, k, v, segments, headDim ** -0.5, limits);
    };
    const kinds: [name: string, runs: number, f: (limits: AttentionLimits) => void][] = [
      ['forward', 3, (limits) => tf.tidy(() => void attend(limits).dataSync())],
      [
        'forward and gradient',
        3,
        (limits) => {
          const { value, grads } = variableGrads(() => tf.sum(attend(limits)) as tf.Scalar, packed);
          for (const gradient of Object.values(grads)) gradient.dataSync();
          tf.dispose([value, grads]);
        },
      ],
      [
        `one token of ${slots} sequences`,
        25,
        (limits) =>
          tf.tidy(() => {
            const caches = [keys, values] as unknown as [tf.Tensor4D, tf.Tensor4D];
            cachedAttention(rows, ...caches, ids, lengths, headDim ** -0.5, limits).dataSync();
          }),
      ],
    ];
    for (const [kind, runs, f] of kinds) {
      const times = LIMITS.map(([, limits]) => medianMs(runs, () => f(limits)));
      for (const [i, [name]] of LIMITS.entries()) {
        const [ms, all] = [times[i] as number, times[0] as number];
        row(
          `${backend}, ${kind}, ${name}`,
          `${ms.toFixed(1)} ms`,
          i === 0 ? '' : `${(all / ms).toFixed(2)} ×`,
        );
      }
    }
    tf.dispose([packed, keys, values, rows, ids, lengths] as tf.TensorContainer);
  }
}
