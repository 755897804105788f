import type * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';
import { type KernelCall, register } from './register.js';

/*
 * Shapes. Queries [n, H, D] and keys [n, Hkv, D] lie row by row. Torch's attention wants [batch, heads, rows, D]:
 * the key-value heads become the batch and the queries that share one become the heads, [Hkv, group, n, D], so that
 * keys and values are views in which the group axis has stride 0, and nothing is copied.
 */

/** The axes of a kernel call. */
interface Heads {
  readonly heads: number;
  readonly keyHeads: number;
  readonly group: number;
  readonly headDim: number;
}

function headsOf(q: tf.TensorInfo, keyHeads: number): Heads {
  const [, heads, headDim] = q.shape as [number, number, number];
  return { heads, keyHeads, group: heads / keyHeads, headDim };
}

/** Rows start..start + length of queries (or of anything shaped like them): [Hkv, group, length, D]. */
function queryView(
  backend: TorchBackend,
  q: tf.TensorInfo,
  { heads, keyHeads, group, headDim }: Heads,
  start: number,
  length: number,
): Handle {
  const row = heads * headDim;
  const strides = [group * headDim, headDim, row, 1];
  return backend.view(q, [keyHeads, group, length, headDim], strides, start * row);
}

/** Rows of keys or values, seen by every query of a group: [Hkv, group, length, D]. */
function keyView(
  backend: TorchBackend,
  k: tf.TensorInfo,
  { keyHeads, group, headDim }: Heads,
  start: number,
  length: number,
): Handle {
  const row = keyHeads * headDim;
  return backend.view(k, [keyHeads, group, length, headDim], [headDim, 0, row, 1], start * row);
}

/** Calls `f` for each sample that has rows. */
function forEachSegment(segments: Int32Array, f: (start: number, length: number) => void): void {
  for (let s = 0; s + 1 < segments.length; s++) {
    const start = segments[s] as number;
    const length = (segments[s + 1] as number) - start;
    if (length > 0) f(start, length);
  }
}

function packedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
  const [n] = q.shape as [number];
  const axes = headsOf(q, k.shape[1] as number);
  const { torch } = backend;
  const [out, logSumExp] = torch.tidy(() => {
    const output = torch.empty(q.shape, backend.torchDtype(q));
    const sums = torch.empty([n, axes.heads], 'float32');
    const { heads, keyHeads, group, headDim } = axes;
    forEachSegment(segments, (start, length) => {
      torch.tidy(() => {
        const [y, sum] = torch.callAll(
          '_scaled_dot_product_flash_attention_for_cpu',
          queryView(backend, q, axes, start, length),
          keyView(backend, k, axes, start, length),
          keyView(backend, v, axes, start, length),
          0,
          true,
          null,
          scale,
        ) as [Handle, Handle];
        const strides = [group * headDim, headDim, heads * headDim, 1];
        const at = start * heads * headDim;
        torch.copy(torch.view(output, [keyHeads, group, length, headDim], strides, at), y);
        torch.copy(torch.view(sums, [keyHeads, group, length], undefined, start * heads), sum);
        return undefined;
      });
    });
    return [output, sums];
  }) as [Handle, Handle];
  // the sums of a sample lie together, head by head: only the gradient reads them
  return [backend.adopt(out, q.shape, 'float32'), backend.adopt(logSumExp, [n, axes.heads], 'float32')];
}

function packedAttentionGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, q, k, v, out, logSumExp } = inputs as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
  const axes = headsOf(q, k.shape[1] as number);
  const { heads, keyHeads, group, headDim } = axes;
  const { torch } = backend;
  const gradients = torch.tidy(() => {
    const dtype = backend.torchDtype(q);
    const dq = torch.empty(q.shape, dtype);
    const dk = torch.empty(k.shape, dtype);
    const dv = torch.empty(v.shape, dtype);
    forEachSegment(segments, (start, length) => {
      torch.tidy(() => {
        const [gq, gk, gv] = torch.callAll(
          '_scaled_dot_product_flash_attention_for_cpu_backward',
          queryView(backend, dy, axes, start, length),
          queryView(backend, q, axes, start, length),
          keyView(backend, k, axes, start, length),
          keyView(backend, v, axes, start, length),
          queryView(backend, out, axes, start, length),
          backend.view(logSumExp, [keyHeads, group, length], undefined, start * heads),
          0,
          true,
          null,
          scale,
        ) as [Handle, Handle, Handle];
        const strides = [group * headDim, headDim, heads * headDim, 1];
        const at = start * heads * headDim;
        torch.copy(torch.view(dq, [keyHeads, group, length, headDim], strides, at), gq);
        for (const [target, share] of [
          [dk, gk],
          [dv, gv],
        ] as const) {
          const sum = group === 1 ? share : torch.call('sum.dim_IntList', share, [1], true, null);
          const rows = [headDim, headDim, keyHeads * headDim, 1];
          torch.copy(
            torch.view(target, [keyHeads, 1, length, headDim], rows, start * keyHeads * headDim),
            sum,
          );
        }
        return undefined;
      });
    });
    return [dq, dk, dv];
  }) as [Handle, Handle, Handle];
  return [q, k, v].map((x, i) => backend.adopt(gradients[i] as Handle, x.shape, 'float32'));
}

/** Consecutive rows of one slot, each seeing one position more than the one before. */
interface Run {
  readonly start: number;
  readonly count: number;
  readonly slot: number;
  /** Positions that the first of them sees. */
  readonly length: number;
}

function runsOf(slots: Int32Array, lengths: Int32Array): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < slots.length; ) {
    const [slot, length] = [slots[start] as number, lengths[start] as number];
    let count = 1;
    while (
      start + count < slots.length &&
      slots[start + count] === slot &&
      lengths[start + count] === length + count
    ) {
      count++;
    }
    runs.push({ start, count, slot, length });
    start += count;
  }
  return runs;
}

/**
 * Attention to a cache: single rows all at once, against the same number of positions of each slot, with a mask;
 * rows that belong together (a prompt being read) one run at a time.
 */
function cachedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const scale = attrs.scale as number;
  const [slotCount, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  const { heads, group, headDim } = headsOf(q, keyHeads);
  const { torch } = backend;
  const runs = runsOf(backend.hostValues(slots) as Int32Array, backend.hostValues(lengths) as Int32Array);
  for (const { slot, length, count } of runs) {
    if (slot < 0 || slot >= slotCount || length < 1 || length + count - 1 > maxLength) {
      throw new Error(
        `cachedAttention: slot ${slot} with ${length + count - 1} positions is outside of a cache of ` +
          `${slotCount} slots of ${maxLength}`,
      );
    }
  }
  const dtype = backend.torchDtype(q);
  return backend.run(q.shape, 'float32', () => {
    const output = torch.empty(q.shape, dtype);
    const singles = runs.filter(({ count }) => count === 1);
    if (singles.length > 0) attendSingles(singles, output);
    for (const run of runs) if (run.count > 1) attendRun(run, output);
    return output;
  });

  /** Every slot's keys, or those of a list of slots, up to `longest` positions: [count, Hkv, longest, D]. */
  function cached(cache: tf.TensorInfo, of: readonly number[], longest: number): Handle {
    const steps = [keyHeads * maxLength * headDim, maxLength * headDim, headDim, 1];
    const first = of[0] as number;
    if (of.every((slot, i) => slot === first + i)) {
      return backend.view(
        cache,
        [of.length, keyHeads, longest, headDim],
        steps,
        first * (steps[0] as number),
      );
    }
    const all = backend.view(cache, [slotCount, keyHeads, longest, headDim], steps);
    return torch.call('index_select', all, 0, hostIndex(of));
  }

  function attendSingles(singles: readonly Run[], output: Handle): void {
    torch.tidy(() => {
      const longest = singles.reduce((most, { length }) => Math.max(most, length), 0);
      const of = singles.map(({ slot }) => slot);
      const rows = singles.map(({ start }) => start);
      const together = rows.every((row, i) => row === (rows[0] as number) + i);
      const offset = (rows[0] as number) * heads * headDim;
      const shape = [singles.length, keyHeads, group, headDim];
      const queries = together
        ? backend.view(q, shape, undefined, offset)
        : torch.view(chooseRows(rows), shape);
      const masked = singles.some(({ length }) => length < longest);
      const [y] = torch.callAll(
        '_scaled_dot_product_flash_attention_for_cpu',
        queries,
        cached(keys, of, longest),
        cached(values, of, longest),
        0,
        false,
        masked ? lengthMask(singles, longest) : null,
        scale,
      ) as [Handle];
      // the result may lie in another order in memory: copying by shape puts it right
      if (together) torch.copy(torch.view(output, shape, undefined, offset), y);
      else {
        singles.forEach((run, i) => {
          const from = torch.call('index_select', y, 0, hostIndex([i]));
          torch.copy(
            torch.view(output, [1, keyHeads, group, headDim], undefined, run.start * heads * headDim),
            from,
          );
        });
      }
      return undefined;
    });
  }

  function hostIndex(of: readonly number[]): Handle {
    const index = backend.makeTensorInfo([of.length], 'int32', Int32Array.from(of));
    const handle = torch.duplicate(backend.handle(index));
    backend.disposeIntermediateTensorInfo(index);
    return handle;
  }

  function chooseRows(rows: readonly number[]): Handle {
    return torch.call('index_select', backend.handle(q), 0, hostIndex(rows));
  }

  /** 0 where a slot has a position, −∞ where it has none: [count, 1, group, longest]. */
  function lengthMask(of: readonly Run[], longest: number): Handle {
    const mask = new Float32Array(of.length * longest);
    for (const [i, { length }] of of.entries()) {
      mask.fill(-Infinity, i * longest + length, (i + 1) * longest);
    }
    // the kernel reads a row for every query, also where the mask says that they are all the same
    return torch.view(hostMask(mask), [of.length, 1, group, longest], [longest, longest, 0, 1]);
  }

  function hostMask(values: Float32Array): Handle {
    const info = backend.makeTensorInfo([values.length], 'float32', values);
    const handle = torch.cast(backend.handle(info), dtype);
    backend.disposeIntermediateTensorInfo(info);
    return handle;
  }

  function attendRun({ start, count, slot, length }: Run, output: Handle): void {
    torch.tidy(() => {
      const longest = length + count - 1;
      const axes = { heads, keyHeads, group, headDim };
      const shape = [keyHeads, group, longest, headDim];
      const view = (cache: tf.TensorInfo) =>
        backend.view(
          cache,
          shape,
          [maxLength * headDim, 0, headDim, 1],
          slot * keyHeads * maxLength * headDim,
        );
      // torch's causal mask starts in the upper left corner: right only when nothing came before
      const [y] = torch.callAll(
        '_scaled_dot_product_flash_attention_for_cpu',
        queryView(backend, q, axes, start, count),
        view(keys),
        view(values),
        0,
        length === 1,
        length === 1 ? null : causalMask(count, length),
        scale,
      ) as [Handle];
      const strides = [group * headDim, headDim, heads * headDim, 1];
      torch.copy(torch.view(output, [keyHeads, group, count, headDim], strides, start * heads * headDim), y);
      return undefined;
    });
  }

  /** Row i sees the first `length` + i positions: [count, length + count − 1]. */
  function causalMask(count: number, length: number): Handle {
    const width = length + count - 1;
    const mask = new Float32Array(count * width);
    for (let i = 0; i < count; i++) mask.fill(-Infinity, i * width + length + i, (i + 1) * width);
    return torch.view(hostMask(mask), [count, width]);
  }
}

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const { torch } = backend;
  torch.tidy(() => {
    const index = (tensor: tf.TensorInfo) => torch.cast(backend.handle(tensor), 'int64');
    const dtype = backend.torchDtype(cache);
    const values =
      backend.torchDtype(rows) === dtype ? backend.handle(rows) : torch.cast(backend.handle(rows), dtype);
    torch.call('index_put_', backend.handle(cache), [index(slots), null, index(positions)], values, false);
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

/** Attention over packed samples and over a cache, and writing the cache. */
export function registerAttention(): void {
  register('PackedAttention', packedAttention);
  register('PackedAttentionGrad', packedAttentionGrad);
  register('CachedAttention', cachedAttention);
  register('KvCacheWrite', kvCacheWrite);
}
