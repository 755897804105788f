import type * as tf from '../../tf.js';
import { attentionCode, attentionTile, checkHeads, NO_WINDOW } from '../../webgpu/kernels/attention.js';
import forwardCode from '../../webgpu/kernels/attention-forward.wgsl';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import { type Program, programFor } from '../../webgpu/program.js';
import type { AttentionLimits } from '../packed-attention/packed-attention.js';
import rowsCode from './cached-rows.wgsl';
import { assertInCache, rowRanges } from './runs.js';

const code = `${attentionCode}\n${rowsCode}\n${forwardCode}`;
const forward = programFor(
  (constants: string): Program => ({
    name: 'CachedAttention',
    code,
    buffers: 'rrrrrw',
    constants: JSON.parse(constants),
  }),
);

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
  // a workgroup has the heads of one query that share keys, and no more rows than those
  const constants = { ...tile, ROWS: Math.min(tile.ROWS, sharing) };
  const ints = [n, heads, keyHeads, window, maxLength];
  const groups = n * keyHeads * Math.ceil(sharing / constants.ROWS);
  const tensors = [q, keys, values, slots, lengths, out];
  backend.run(forward(JSON.stringify(constants)), tensors, ints, [scale, softCap], groups);
  return out;
}

export const kernels: Kernels = { CachedAttention: cachedAttention };
