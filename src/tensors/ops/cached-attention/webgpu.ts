import { floatTypes } from '../../precision.js';
import type * as tf from '../../tf.js';
import {
  attentionPrograms,
  attentionTile,
  checkHeads,
  keysIn,
  NO_WINDOW,
} from '../../webgpu/kernels/attention.js';
import forwardCode from '../../webgpu/kernels/attention-forward.wgsl';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import { inFloat32 } from '../../webgpu/widen.js';
import type { AttentionLimits } from '../packed-attention/packed-attention.js';
import rowsCode from './cached-rows.wgsl';
import { assertInCache, rowRanges } from './runs.js';

/** By queries of a workgroup and the type of the cache: a power of two, and its place in the list of types. */
const forward = attentionPrograms(
  'CachedAttention',
  'rrrrrw',
  (more) => `const QUERIES = ${more >> 2}u;\n${keysIn(floatTypes[more & 3]!)}\n${rowsCode}\n${forwardCode}`,
  { takesNarrow: true },
);

/**
 * Queries of a workgroup: as many as follow each other in one slot on average, a power of two, so that a prompt's
 * share what they read of the cache, and those of different slots wait for none.
 */
function queriesPerWorkgroup(slots: Int32Array | undefined, rows: number, sharing: number): number {
  if (!slots || slots.length === 0) return 1;
  let runs = 1;
  for (let i = 1; i < slots.length; i++) if (slots[i] !== slots[i - 1]) runs++;
  const most = Math.min(slots.length / runs, rows / sharing);
  return most < 2 ? 1 : 2 ** Math.floor(Math.log2(most));
}

function cachedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const { scale, window = NO_WINDOW, softCap = 0 } = attrs as unknown as AttentionLimits & { scale: number };
  const [n, heads, headDim] = q.shape as [number, number, number];
  const [, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  checkHeads(heads, keyHeads);
  const [slotOf, lengthOf] = [slots, lengths].map(
    (tensor) => backend.hostValues(tensor) as Int32Array | undefined,
  );
  if (slotOf && lengthOf) assertInCache(rowRanges(slotOf, lengthOf), keys.shape);
  const out = backend.makeOutput(q.shape);
  const sharing = heads / keyHeads;
  const tile = attentionTile(backend, headDim, 1);
  const queries = queriesPerWorkgroup(slotOf, tile.rows, sharing);
  // a workgroup has the heads of its queries that share keys, and no more rows than those
  const headsEach = Math.min(tile.rows, sharing);
  const kept = floatTypes.indexOf(backend.floatType(keys));
  const program = forward({ ...tile, rows: queries * headsEach }, (queries << 2) | kept);
  const groups = Math.ceil(n / queries) * keyHeads * Math.ceil(sharing / headsEach);
  inFloat32(backend, q, (wide) => {
    const tensors = [wide, keys, values, slots, lengths, out];
    backend.run(program, tensors, [n, heads, keyHeads, window, maxLength], [scale, softCap], groups);
  });
  return out;
}

export const kernels: Kernels = { CachedAttention: cachedAttention };
