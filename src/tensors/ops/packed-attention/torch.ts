import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import type { TorchDtype } from '../../torch/dtypes.js';
import { attentionKernel } from '../../torch/kernels/attention-kernel.js';
import {
  type CappedInputs,
  cappedAttention,
  cappedAttentionGrad,
  cappedRows,
} from '../../torch/kernels/capped-attention.js';
import { type Heads, headsOf, keyView, queryView } from '../../torch/kernels/heads.js';
import { maskOf, maskTable, needsMask, uploadTable } from '../../torch/kernels/piece-masks.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { type AttentionLimits, longest } from './packed-attention.js';
import { type AttentionPiece, attentionPieces } from './pieces.js';
import { packedBackward, packedForward } from './torch-cuda.js';

type Attributes = AttentionLimits & { segments: Int32Array; scale: number };

/** A piece of a pack: `row` and `key` are counted from its first row. */
interface PackedPiece extends AttentionPiece {
  /** The mask of one query head [rows, keys], where it is not the causal one. */
  readonly mask: Handle | null;
}

/** Calls `f` for the pieces of each sample that has rows, see {@link attentionPieces}. */
function forEachPiece(
  backend: TorchBackend,
  { segments, window, softCap }: Attributes,
  heads: number,
  maskType: TorchDtype,
  f: (piece: PackedPiece) => void,
): void {
  const pieces: AttentionPiece[] = [];
  const reach = Math.min(longest(segments), window ?? Number.POSITIVE_INFINITY);
  // where the scores are held, few rows at a time
  const most = softCap === undefined ? undefined : cappedRows(backend.torch, heads, reach);
  for (let s = 0; s + 1 < segments.length; s++) {
    const start = segments[s] as number;
    const length = (segments[s + 1] as number) - start;
    for (const { row, rows, key, keys } of attentionPieces(length, 1, window, most))
      pieces.push({ row: start + row, rows, key: start + key, keys });
  }
  // the kernel has a causal mask of its own, matrix products have none
  const masked = (piece: AttentionPiece) =>
    needsMask(piece, window) || (softCap !== undefined && piece.rows > 1);
  const table = maskTable(pieces.filter(masked));
  const values = table.rows > 0 ? uploadTable(backend, table, window, maskType) : undefined;
  for (const piece of pieces) {
    backend.torch.tidy(() => {
      const mask = values !== undefined && masked(piece) ? maskOf(backend, values, table, piece) : null;
      f({ ...piece, mask });
      return undefined;
    });
  }
}

/** The strides of rows of queries as [Hkv, group, rows, D], which lie row by row. */
const queryStrides = ({ group, headDim, heads }: Heads): number[] => [
  group * headDim,
  headDim,
  heads * headDim,
  1,
];

/** Rows of queries, or of what is shaped like them, with those that share a key head in one matrix: [Hkv, group · rows, D]. */
function matrices(
  backend: TorchBackend,
  x: tf.TensorInfo,
  axes: Heads,
  { row, rows }: AttentionPiece,
  dtype: TorchDtype,
): Handle {
  const { keyHeads, group, headDim } = axes;
  const { torch } = backend;
  const shape = [keyHeads, group, rows, headDim];
  const whole = torch.contiguous(queryView(backend, x, axes, row, rows), shape, dtype);
  return torch.view(whole, [keyHeads, group * rows, headDim]);
}

function cappedInputs(
  backend: TorchBackend,
  { q, k, v }: Record<'q' | 'k' | 'v', tf.TensorInfo>,
  axes: Heads,
  { scale, softCap }: { scale: number; softCap: number },
  piece: PackedPiece,
): CappedInputs {
  const { keyHeads, group, headDim } = axes;
  const { rows, key, keys, mask } = piece;
  const known = (x: tf.TensorInfo) =>
    backend.view(x, [keyHeads, keys, headDim], [headDim, keyHeads * headDim, 1], key * keyHeads * headDim);
  return {
    q: matrices(backend, q, axes, piece, backend.torchDtype(q)),
    k: known(k),
    v: known(v),
    scale,
    softCap,
    mask: mask === null ? null : { values: mask, shape: [keyHeads, group, rows, keys] },
  };
}

function packedAttention(call: KernelCall): tf.TensorInfo[] {
  const { inputs, backend } = call;
  const attributes = call.attrs as unknown as Attributes;
  const { scale, softCap } = attributes;
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const dtype = backend.torchDtype(q);
  const cuda = attentionKernel(backend.torch, dtype, q.shape[2] as number);
  if (cuda && softCap === undefined) return packedForward(cuda, call);
  const [n] = q.shape as [number];
  const axes = headsOf(q, k.shape[1] as number);
  const { heads, keyHeads, group, headDim } = axes;
  const { torch } = backend;
  const [out, logSumExp] = torch.tidy(() => {
    const output = torch.empty(q.shape, dtype);
    const sums = torch.empty([n, heads], 'float32');
    const attend = (piece: PackedPiece): [y: Handle, sum?: Handle] => {
      const { row, rows, key, keys, mask } = piece;
      if (softCap !== undefined) {
        const given = cappedInputs(backend, { q, k, v }, axes, { scale, softCap }, piece);
        return [torch.view(cappedAttention(torch, given), [keyHeads, group, rows, headDim])];
      }
      return torch.callAll(
        '_scaled_dot_product_flash_attention_for_cpu',
        queryView(backend, q, axes, row, rows),
        keyView(backend, k, axes, key, keys),
        keyView(backend, v, axes, key, keys),
        0,
        mask === null && rows > 1,
        mask,
        scale,
      ) as [Handle, Handle];
    };
    forEachPiece(backend, attributes, heads, softCap === undefined ? dtype : 'float32', (piece) => {
      const { row, rows } = piece;
      const [y, sum] = attend(piece);
      const shape = [keyHeads, group, rows, headDim];
      torch.copy(torch.view(output, shape, queryStrides(axes), row * heads * headDim), y);
      // capped scores are made again for the gradient without them
      if (sum !== undefined)
        torch.copy(torch.view(sums, [keyHeads, group, rows], undefined, row * heads), sum);
    });
    return [output, sums];
  }) as [Handle, Handle];
  // the sums of a piece lie together, head by head: only the gradient reads them
  return [backend.adopt(out, q.shape, 'float32'), backend.adopt(logSumExp, [n, heads], 'float32')];
}

function packedAttentionGrad(call: KernelCall): tf.TensorInfo[] {
  const { inputs, backend } = call;
  const attributes = call.attrs as unknown as Attributes;
  const { scale, softCap, window } = attributes;
  const { dy, q, k, v, out, logSumExp } = inputs as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const dtype = backend.torchDtype(q);
  const cuda = attentionKernel(backend.torch, dtype, q.shape[2] as number);
  if (cuda && softCap === undefined) return packedBackward(cuda, call);
  const axes = headsOf(q, k.shape[1] as number);
  const { heads, keyHeads, group, headDim } = axes;
  const { torch } = backend;
  // where pieces share keys, their gradients are added up
  const shared = softCap !== undefined || window !== undefined;
  const gradients = torch.tidy(() => {
    const grad =
      backend.torchDtype(dy) === dtype ? backend.handle(dy) : torch.cast(backend.handle(dy), dtype);
    const dq = torch.empty(q.shape, dtype);
    const [dk, dv] = [k, v].map(({ shape }) =>
      shared ? torch.full(shape, 0, 'float32') : torch.empty(shape, dtype),
    ) as [Handle, Handle];
    const differentiate = (piece: PackedPiece): [dq: Handle, dk: Handle, dv: Handle] => {
      const { row, rows, key, keys, mask } = piece;
      const shape = [keyHeads, group, rows, headDim];
      const gradOf = () => torch.view(grad, shape, queryStrides(axes), row * heads * headDim);
      if (softCap !== undefined) {
        const flat = [keyHeads, group * rows, headDim];
        const given = cappedInputs(backend, { q, k, v }, axes, { scale, softCap }, piece);
        const own = torch.view(torch.contiguous(gradOf(), shape, dtype), flat);
        const result = cappedAttentionGrad(torch, given, own);
        const one = [keyHeads, 1, keys, headDim];
        return [torch.view(result.dq, shape), torch.view(result.dk, one), torch.view(result.dv, one)];
      }
      const [gq, gk, gv] = torch.callAll(
        '_scaled_dot_product_flash_attention_for_cpu_backward',
        gradOf(),
        queryView(backend, q, axes, row, rows),
        keyView(backend, k, axes, key, keys),
        keyView(backend, v, axes, key, keys),
        queryView(backend, out, axes, row, rows),
        backend.view(logSumExp, [keyHeads, group, rows], undefined, row * heads),
        0,
        mask === null && rows > 1,
        mask,
        scale,
      ) as [Handle, Handle, Handle];
      const folded = (share: Handle) =>
        group === 1 ? share : torch.call('sum.dim_IntList', share, [1], true, null);
      return [gq, folded(gk), folded(gv)];
    };
    forEachPiece(backend, attributes, heads, softCap === undefined ? dtype : 'float32', (piece) => {
      const { row, rows, key, keys } = piece;
      const [gq, ...shares] = differentiate(piece);
      const shape = [keyHeads, group, rows, headDim];
      torch.copy(torch.view(dq, shape, queryStrides(axes), row * heads * headDim), gq);
      for (const [i, target] of [dk, dv].entries()) {
        const steps = [headDim, headDim, keyHeads * headDim, 1];
        const place = torch.view(target, [keyHeads, 1, keys, headDim], steps, key * keyHeads * headDim);
        const share = shares[i] as Handle;
        torch.copy(place, shared ? torch.add(place, share) : share);
      }
    });
    return [dq, ...[dk, dv].map((x) => (torch.dtypeOf(x) === dtype ? x : torch.cast(x, dtype)))];
  }) as [Handle, Handle, Handle];
  return [q, k, v].map((x, i) => backend.adopt(gradients[i] as Handle, x.shape, 'float32'));
}

export const kernels: Kernels = {
  PackedAttention: packedAttention,
  PackedAttentionGrad: packedAttentionGrad,
};
