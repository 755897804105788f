import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import { attentionKernel } from '../../torch/kernels/attention-kernel.js';
import { cappedAttention, cappedRows } from '../../torch/kernels/capped-attention.js';
import { headsOf } from '../../torch/kernels/heads.js';
import { alignedMaskOf, maskOf, maskTable, needsMask, uploadTable } from '../../torch/kernels/piece-masks.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import type { AttentionLimits } from '../packed-attention/packed-attention.js';
import { type AttentionPiece, attentionPieces } from '../packed-attention/pieces.js';
import { assertInCache, type RowRange, rowRanges } from './runs.js';
import { cachedFlash } from './torch-cuda.js';
import { areFewQueries, attendFew } from './torch-few-queries.js';
import { spanAttention } from './torch-span.js';

/** How the rows of a pass attend: the same for all layers, found out in the first. */
interface AttentionPlan {
  readonly slots: object;
  /** Names what is kept for it. */
  readonly number: number;
  readonly runs: readonly RowRange[];
  /** Short runs of equally many rows (single rows of decoding, tokens that a grammar forced) go together. */
  readonly groups: readonly (readonly RowRange[])[];
  /** The others (prompts being read) go one at a time, where a causal mask saves half of the work. */
  readonly long: readonly RowRange[];
}

/** The most rows of a short run. */
const SHORT = 32;

/** By the data of the lengths. */
const plans = new WeakMap<object, AttentionPlan>();
let planCount = 0;

function planOf(
  backend: TorchBackend,
  slots: tf.TensorInfo,
  lengths: tf.TensorInfo,
  cache: number[],
): AttentionPlan {
  const known = plans.get(lengths.dataId);
  if (known?.slots === slots.dataId) return known;
  const runs = rowRanges(backend.hostValues(slots) as Int32Array, backend.hostValues(lengths) as Int32Array);
  assertInCache(runs, cache);
  const groups = new Map<number, RowRange[]>();
  for (const run of runs) {
    if (run.count > SHORT) continue;
    groups.set(run.count, [...(groups.get(run.count) ?? []), run]);
  }
  const plan = {
    slots: slots.dataId,
    number: planCount++,
    runs,
    groups: [...groups.values()],
    long: runs.filter(({ count }) => count > SHORT),
  };
  plans.set(lengths.dataId, plan);
  return plan;
}

/** Whether numbers ascend by the same step. */
const evenly = (numbers: readonly number[], step: number): boolean =>
  numbers.every((number, i) => number === (numbers[0] as number) + i * step);

/** Attention of new rows to a cache, see {@link AttentionPlan}. */
function cachedAttention(call: KernelCall): tf.TensorInfo {
  if (call.attrs.span !== undefined) return spanAttention(call);
  const { inputs, attrs, backend } = call;
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const { scale, softCap, ...limits } = attrs as unknown as AttentionLimits & { scale: number };
  const [slotCount, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  const { heads, group, headDim } = headsOf(q, keyHeads);
  const width = heads * headDim;
  const { torch } = backend;
  const plan = planOf(backend, slots, lengths, keys.shape);
  const dtype = backend.torchDtype(q);
  const sameType = [keys, values].every((cache) => backend.torchDtype(cache) === dtype);
  const known = plan.runs.reduce((most, { length, count }) => Math.max(most, length + count - 1), 0);
  // a window that covers all that there is, is none
  const window = limits.window !== undefined && limits.window < known ? limits.window : undefined;
  const limitsName = `${window ?? ''}${softCap === undefined ? '' : ' capped'}`;
  const maskType = softCap === undefined ? dtype : 'float32';
  if (sameType && softCap === undefined && attentionKernel(torch, dtype, headDim) === 'flash')
    return cachedFlash(call, plan.runs, kept, window);
  return backend.run(q.shape, 'float32', () => {
    const output = torch.empty(q.shape, dtype);
    for (const [i, runs] of plan.groups.entries()) attendGroup(runs, `group ${i}`, output);
    for (const [i, run] of plan.long.entries()) attendLong(run, `long ${i}`, output);
    return output;
  });

  /** Attention of queries [.., rows, D] to keys and values [.., keys, D]. */
  function attend(
    q: Handle,
    k: Handle,
    v: Handle,
    causal: boolean,
    mask: { values: Handle; shape: readonly number[] } | null,
  ): Handle {
    if (softCap !== undefined) return cappedAttention(torch, { q, k, v, scale, softCap, mask });
    const added = mask?.values ?? null;
    // on a GPU torch chooses among its kernels, and brings the mask into the form that they want
    if (torch.usesCudaKernels) {
      return torch.call('scaled_dot_product_attention', q, k, v, added, 0, causal, scale, false);
    }
    return torch.call('_scaled_dot_product_flash_attention_for_cpu', q, k, v, 0, causal, added, scale);
  }

  /** What depends on the plan alone is made in the first layer and kept as long as the lengths. */
  function kept(name: string, make: () => Handle): Handle {
    return backend.kept(lengths, `${plan.number} ${name} ${limitsName} ${dtype}`, make);
  }

  /**
   * The keys or values of some slots, `width` positions from a first one of each: [slots, Hkv, width, D], or with the
   * first two as one.
   */
  function cached(
    cache: tf.TensorInfo,
    of: readonly number[],
    firsts: readonly number[],
    width: number,
    name: string,
    joined = false,
  ): Handle {
    const steps = [keyHeads * maxLength * headDim, maxLength * headDim, headDim, 1];
    const shape = joined ? [of.length * keyHeads, width, headDim] : [of.length, keyHeads, width, headDim];
    if (!evenly(firsts, 0)) {
      const index = kept(`${name} positions`, () => {
        const positions: number[] = [];
        for (const [i, slot] of of.entries())
          for (let head = 0; head < keyHeads; head++)
            for (let t = 0; t < width; t++)
              positions.push((slot * keyHeads + head) * maxLength + (firsts[i] as number) + t);
        return backend.integers(Int32Array.from(positions));
      });
      const all = backend.view(cache, [slotCount * keyHeads * maxLength, headDim]);
      return torch.view(torch.call('index_select', all, 0, index), shape);
    }
    const offset = (firsts[0] as number) * headDim;
    if (evenly(of, 1)) {
      const own = joined ? steps.slice(1) : steps;
      return backend.view(cache, shape, own, (of[0] as number) * (steps[0] as number) + offset);
    }
    const all = backend.view(cache, [slotCount, keyHeads, width, headDim], steps, offset);
    const index = kept(`${name} slots`, () => backend.integers(Int32Array.from(of)));
    const selected = torch.call('index_select', all, 0, index);
    return joined ? torch.view(selected, shape) : selected;
  }

  /** Runs of equally many rows, all against the positions of the longest or those of their windows, with a mask. */
  function attendGroup(runs: readonly RowRange[], name: string, output: Handle): void {
    torch.tidy(() => {
      const count = (runs[0] as RowRange).count;
      const starts = runs.map(({ start }) => start);
      const of = runs.map(({ slot }) => slot);
      const longest = runs.reduce((most, { length }) => Math.max(most, length + count - 1), 0);
      const span = window === undefined ? longest : Math.min(longest, window + count - 1);
      const firsts = runs.map(({ length }) => Math.max(0, length + count - 1 - span));
      const together = evenly(starts, count);
      const offset = (starts[0] as number) * width;
      const rows = kept.bind(null, `${name} rows`, () =>
        backend.integers(
          Int32Array.from(starts.flatMap((start) => Array.from({ length: count }, (_, i) => start + i))),
        ),
      );
      const chosen = together
        ? backend.view(q, [runs.length * count, width], undefined, offset)
        : torch.call('index_select', backend.view(q, [q.shape[0] as number, width]), 0, rows());
      // the rows of the queries that share a key-value head, query head by query head: [runs, Hkv, group · count, D]
      const shape = [runs.length, keyHeads, group * count, headDim];
      const apart = [runs.length, keyHeads, group, count, headDim];
      const byHead = [count * width, group * headDim, headDim, width, 1];
      const queries =
        count === 1
          ? torch.view(chosen, shape)
          : torch.view(torch.contiguous(torch.view(chosen, apart, byHead), apart, dtype), shape);
      const masked = count > 1 || runs.some(({ length }) => length < span);
      const isPlain = softCap === undefined && dtype === 'float32' && sameType && !torch.usesCudaKernels;
      const few = isPlain && count === 1 && areFewQueries(runs.length, group, headDim);
      const attendRows = () =>
        attendFew(backend, {
          ...{ runs: runs.length, queries: chosen, span, group, headDim, scale },
          keys: cached(keys, of, firsts, span, name, true),
          values: backend.view(values, [slotCount * keyHeads * maxLength, headDim]),
          firsts: of.flatMap((slot, i) =>
            Array.from({ length: keyHeads }, (_, head) => (slot * keyHeads + head) * maxLength + firsts[i]!),
          ),
          mask: masked ? groupMask(runs, firsts, span, name) : undefined,
          kept: (what, make) => kept(`${name} ${what}`, make),
        });
      const y = few
        ? torch.view(attendRows(), shape)
        : attend(
            queries,
            cached(keys, of, firsts, span, name),
            cached(values, of, firsts, span, name),
            false,
            masked
              ? {
                  values: groupMask(runs, firsts, span, name),
                  shape: [runs.length, keyHeads, group * count, span],
                }
              : null,
          );
      // the result may lie in another order in memory: copying by shape puts it right
      const target = together ? output : torch.empty([runs.length * count, width], dtype);
      const at = together ? offset : 0;
      if (count === 1) torch.copy(torch.view(target, shape, undefined, at), y);
      else {
        const ordered = torch.view(torch.contiguous(y, shape, dtype), apart);
        torch.copy(torch.view(target, apart, byHead, at), ordered);
      }
      if (!together) {
        const all = torch.view(output, [q.shape[0] as number, width]);
        torch.call('index_put_', all, [rows()], target, false);
      }
      return undefined;
    });
  }

  /** 0 where a row sees a position, −∞ where it does not: [runs, 1, group · count, span]. */
  function groupMask(
    runs: readonly RowRange[],
    firsts: readonly number[],
    span: number,
    name: string,
  ): Handle {
    const count = (runs[0] as RowRange).count;
    const mask = kept(`${name} mask`, () => {
      // where what a row sees ends
      const ends = runs.flatMap(({ length }, i) =>
        Array.from(
          { length: (count === 1 ? 1 : group) * count },
          (_, row) => length + (row % count) - (firsts[i] as number),
        ),
      );
      const flat = new Float32Array(ends.length * span).fill(-Infinity);
      for (const [row, end] of ends.entries())
        flat.fill(0, row * span + Math.max(0, end - (window ?? end)), row * span + end);
      return torch.cast(backend.floats(flat), maskType);
    });
    // the kernel reads a row for every query, also where the mask says that they are all the same
    return count === 1
      ? torch.view(mask, [runs.length, 1, group, span], [span, span, 0, 1])
      : torch.view(mask, [runs.length, 1, group * count, span]);
  }

  /** A run as a whole, or as many rows at a time as a window, or scores that are held, allow. */
  function attendLong({ start, count, slot, length }: RowRange, name: string, output: Handle): void {
    const reach = Math.min(length + count - 1, window ?? Number.POSITIVE_INFINITY);
    const most = softCap === undefined ? undefined : cappedRows(torch, heads, reach);
    const pieces = attentionPieces(count, length, window, most);
    // torch's causal mask starts in the upper left corner: right only when nothing came before
    const masked = (piece: AttentionPiece) =>
      needsMask(piece, window) || (softCap !== undefined && piece.rows > 1);
    const table = maskTable(pieces.filter(masked));
    for (const piece of pieces) {
      torch.tidy(() => {
        const { rows, key, keys: known } = piece;
        const at = start + piece.row;
        const isCapped = softCap !== undefined;
        // torch's kernel for GPUs mixes up rows of the mask where heads have their keys at one place: see
        // `alignedMaskOf`
        const turned = torch.usesCudaKernels && !isCapped;
        const order = ([ofKeys, ofGroup, ...rest]: [number, number, ...number[]]): number[] =>
          turned ? [ofGroup, ofKeys, ...rest] : [ofKeys, ofGroup, ...rest];
        // where scores are held, the queries that share a key head are rows of one matrix
        const shape = order([keyHeads, isCapped ? 1 : group, known, headDim]);
        const steps = order([maxLength * headDim, 0, headDim, 1]);
        const view = (cache: tf.TensorInfo) =>
          backend.view(cache, shape, steps, (slot * keyHeads * maxLength + key) * headDim);
        const apart = order([keyHeads, group, rows, headDim]);
        const strides = order([group * headDim, headDim, width, 1]);
        const queries = backend.view(q, apart, strides, at * width);
        const folded = () =>
          torch.view(torch.contiguous(queries, apart, dtype), [keyHeads, 1, group * rows, headDim]);
        const maskValues = (): Handle => {
          const whole = kept(`${name} mask`, () => uploadTable(backend, table, window, maskType));
          return (turned ? alignedMaskOf : maskOf)(backend, whole, table, piece);
        };
        const mask = masked(piece) ? { values: maskValues(), shape: [keyHeads, group, rows, known] } : null;
        const causal = mask === null && rows > 1;
        const y = attend(isCapped ? folded() : queries, view(keys), view(values), causal, mask);
        torch.copy(torch.view(output, apart, strides, at * width), isCapped ? torch.view(y, apart) : y);
        return undefined;
      });
    }
  }
}

export const kernels: Kernels = { CachedAttention: cachedAttention };
