import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import { attentionKernel } from '../../torch/kernels/attention-kernel.js';
import { headsOf, queryView } from '../../torch/kernels/heads.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { assertInCache, type RowRange, rowRanges } from './runs.js';
import { cachedFlash } from './torch-cuda.js';

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
  const { inputs, attrs, backend } = call;
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const scale = attrs.scale as number;
  const [slotCount, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  const { heads, group, headDim } = headsOf(q, keyHeads);
  const width = heads * headDim;
  const { torch } = backend;
  const plan = planOf(backend, slots, lengths, keys.shape);
  const dtype = backend.torchDtype(q);
  const sameType = [keys, values].every((cache) => backend.torchDtype(cache) === dtype);
  if (sameType && attentionKernel(torch, dtype, headDim) === 'flash')
    return cachedFlash(call, plan.runs, kept);
  return backend.run(q.shape, 'float32', () => {
    const output = torch.empty(q.shape, dtype);
    for (const [i, runs] of plan.groups.entries()) attendGroup(runs, `group ${i}`, output);
    for (const [i, run] of plan.long.entries()) attendLong(run, `long ${i}`, output);
    return output;
  });

  function attend(queries: Handle, of: Handle, what: Handle, causal: boolean, mask: Handle | null): Handle {
    // on a GPU torch chooses among its kernels, and brings the mask into the form that they want
    if (torch.usesCudaKernels) {
      return torch.call('scaled_dot_product_attention', queries, of, what, mask, 0, causal, scale, false);
    }
    const name = '_scaled_dot_product_flash_attention_for_cpu';
    return torch.call(name, queries, of, what, 0, causal, mask, scale);
  }

  /** What depends on the plan alone is made in the first layer and kept as long as the lengths. */
  function kept(name: string, make: () => Handle): Handle {
    return backend.kept(lengths, `${plan.number} ${name} ${dtype}`, make);
  }

  /** The keys or values of some slots, up to `longest` positions: [slots, Hkv, longest, D]. */
  function cached(cache: tf.TensorInfo, of: readonly number[], longest: number, name: string): Handle {
    const steps = [keyHeads * maxLength * headDim, maxLength * headDim, headDim, 1];
    if (evenly(of, 1)) {
      const shape = [of.length, keyHeads, longest, headDim];
      return backend.view(cache, shape, steps, (of[0] as number) * (steps[0] as number));
    }
    const all = backend.view(cache, [slotCount, keyHeads, longest, headDim], steps);
    const index = kept(`${name} slots`, () => upload(Int32Array.from(of)));
    return torch.call('index_select', all, 0, index);
  }

  /** Runs of equally many rows, all against the positions of the longest, with a mask. */
  function attendGroup(runs: readonly RowRange[], name: string, output: Handle): void {
    torch.tidy(() => {
      const count = (runs[0] as RowRange).count;
      const starts = runs.map(({ start }) => start);
      const of = runs.map(({ slot }) => slot);
      const longest = runs.reduce((most, { length }) => Math.max(most, length + count - 1), 0);
      const together = evenly(starts, count);
      const offset = (starts[0] as number) * width;
      const rows = kept.bind(null, `${name} rows`, () =>
        upload(
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
      const masked = count > 1 || runs.some(({ length }) => length < longest);
      const y = attend(
        queries,
        cached(keys, of, longest, name),
        cached(values, of, longest, name),
        false,
        masked ? groupMask(runs, longest, name) : null,
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

  /** 0 where a row sees a position, −∞ where it does not: [runs, 1, group · count, longest]. */
  function groupMask(runs: readonly RowRange[], longest: number, name: string): Handle {
    const count = (runs[0] as RowRange).count;
    const mask = kept(`${name} mask`, () => {
      const rows = runs.flatMap(({ length }) =>
        Array.from({ length: (count === 1 ? 1 : group) * count }, (_, row) => length + (row % count)),
      );
      const flat = new Float32Array(rows.length * longest);
      for (const [row, seen] of rows.entries())
        flat.fill(-Infinity, row * longest + seen, (row + 1) * longest);
      return torch.cast(upload(flat), dtype);
    });
    // the kernel reads a row for every query, also where the mask says that they are all the same
    return count === 1
      ? torch.view(mask, [runs.length, 1, group, longest], [longest, longest, 0, 1])
      : torch.view(mask, [runs.length, 1, group * count, longest]);
  }

  function attendLong({ start, count, slot, length }: RowRange, name: string, output: Handle): void {
    torch.tidy(() => {
      const longest = length + count - 1;
      const shape = [keyHeads, group, longest, headDim];
      const steps = [maxLength * headDim, 0, headDim, 1];
      const view = (cache: tf.TensorInfo) =>
        backend.view(cache, shape, steps, slot * keyHeads * maxLength * headDim);
      // torch's causal mask starts in the upper left corner: right only when nothing came before
      const y = attend(
        queryView(backend, q, { heads, keyHeads, group, headDim }, start, count),
        view(keys),
        view(values),
        length === 1,
        length === 1 ? null : kept(`${name} mask`, () => causalMask(count, length)),
      );
      const strides = [group * headDim, headDim, width, 1];
      torch.copy(torch.view(output, [keyHeads, group, count, headDim], strides, start * width), y);
      return undefined;
    });
  }

  /** Row i sees the first `length` + i positions: [count, length + count − 1]. */
  function causalMask(count: number, length: number): Handle {
    const longest = length + count - 1;
    const mask = new Float32Array(count * longest);
    for (let i = 0; i < count; i++) mask.fill(-Infinity, i * longest + length + i, (i + 1) * longest);
    return torch.view(torch.cast(upload(mask), dtype), [count, longest]);
  }

  function upload(values: Float32Array | Int32Array): Handle {
    const dtype = values instanceof Int32Array ? 'int32' : 'float32';
    const info = backend.makeTensorInfo([values.length], dtype, values);
    const handle = torch.duplicate(backend.handle(info));
    backend.disposeIntermediateTensorInfo(info);
    return handle;
  }
}

export const kernels: Kernels = { CachedAttention: cachedAttention };
