import type * as tf from '../../tf.js';
import type { WebGpuBackend } from '../../webgpu/backend.js';
import {
  attentionPrograms,
  attentionTile,
  checkHeads,
  keysIn,
  NO_WINDOW,
} from '../../webgpu/kernels/attention.js';
import forwardCode from '../../webgpu/kernels/attention-forward.wgsl';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import type { AttentionLimits } from './packed-attention.js';
import gradCode from './packed-attention-grad.wgsl';
import totalsCode from './packed-attention-totals.wgsl';
import rowsCode from './packed-rows.wgsl';

type Attributes = AttentionLimits & { segments: Int32Array; scale: number };

const forward = attentionPrograms(
  'PackedAttention',
  'rrrrww',
  () => `${keysIn('float32')}\n${rowsCode}\n${forwardCode}`,
);
const grads = (what: 'Queries' | 'Keys', buffers: string) =>
  attentionPrograms(`PackedAttentionGrad of ${what}`, buffers, () => gradCode, { entry: `of${what}` });
const ofQueries = grads('Queries', 'rrrrrrw');
const ofKeys = grads('Keys', 'rrrrrr-ww');
const totals: Program = {
  name: 'PackedAttentionGrad totals',
  code: totalsCode,
  buffers: 'rrrw',
  over: 'elements',
};

/** The bounds that were made last, by backend: all layers of a pass have the same samples. */
const lastBounds = new WeakMap<WebGpuBackend, { segments: Int32Array; bounds: tf.TensorInfo }>();

/** Where the sample of each position begins and ends: a tensor [n, 2] that stays. */
function boundsOf(backend: WebGpuBackend, segments: Int32Array): tf.TensorInfo {
  const last = lastBounds.get(backend);
  if (
    last &&
    last.segments.length === segments.length &&
    last.segments.every((at, i) => at === segments[i])
  ) {
    return last.bounds;
  }
  if (last) backend.disposeData(last.bounds.dataId);
  const n = segments.at(-1) as number;
  const values = new Int32Array(2 * n);
  for (let s = 0; s + 1 < segments.length; s++) {
    const [start, end] = [segments[s] as number, segments[s + 1] as number];
    for (let i = start; i < end; i++) values.set([start, end], 2 * i);
  }
  const bounds = backend.makeTensorInfo([n, 2], 'int32', values);
  lastBounds.set(backend, { segments: segments.slice(), bounds });
  return bounds;
}

function plan({ inputs, attrs, backend }: KernelCall) {
  const { q, k } = inputs as Record<'q' | 'k', tf.TensorInfo>;
  const { segments, scale, window = NO_WINDOW, softCap = 0 } = attrs as unknown as Attributes;
  const [n, heads, headDim] = q.shape as [number, number, number];
  const keyHeads = k.shape[1] as number;
  checkHeads(heads, keyHeads);
  /** Workgroups for this many rows of each head of keys. */
  const groups = (rows: number, perGroup: number) => Math.ceil(rows / perGroup) * keyHeads;
  const ints = [n, heads, keyHeads, window];
  return {
    n,
    heads,
    headDim,
    keyHeads,
    ints,
    floats: [scale, softCap],
    groups,
    bounds: boundsOf(backend, segments),
  };
}

function packedAttention(call: KernelCall): tf.TensorInfo[] {
  const { inputs, backend } = call;
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const { n, heads, headDim, keyHeads, ints, floats, groups, bounds } = plan(call);
  const tile = attentionTile(backend, headDim, 1);
  const out = backend.makeOutput(q.shape);
  const logSumExp = backend.makeOutput([n, heads]);
  const count = groups((n * heads) / keyHeads, tile.rows);
  backend.run(forward(tile), [q, k, v, bounds, out, logSumExp], ints, floats, count);
  return [out, logSumExp];
}

function packedAttentionGrad(call: KernelCall): tf.TensorInfo[] {
  const { inputs, backend } = call;
  const { dy, q, k, v, out, logSumExp } = inputs as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const { n, heads, headDim, keyHeads, ints, floats, groups, bounds } = plan(call);
  const tile = attentionTile(backend, headDim, 2);
  const known = backend.makeOutput([n, heads, 2]);
  backend.run(totals, [dy, out, logSumExp, known], [n * heads, headDim], []);
  const [dq, dk, dv] = [q, k, v].map(({ shape }) => backend.makeOutput(shape)) as [
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
  ];
  const given = [dy, q, k, v, known, bounds];
  const queryGroups = groups((n * heads) / keyHeads, tile.rows);
  backend.run(ofQueries(tile), [...given, dq], ints, floats, queryGroups);
  backend.run(ofKeys(tile), [...given, dk, dv], ints, floats, groups(n, tile.rows));
  backend.disposeData(known.dataId);
  return [dq, dk, dv];
}

export const kernels: Kernels = {
  PackedAttention: packedAttention,
  PackedAttentionGrad: packedAttentionGrad,
};
