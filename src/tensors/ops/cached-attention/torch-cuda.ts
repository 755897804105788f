import type * as tf from '../../tf.js';
import type { KernelCall } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { flashWindow } from '../packed-attention/torch-cuda.js';
import type { RowRange } from './runs.js';

/**
 * Attention of runs of rows to their slots of a cache, all in one call and without a copy: for the kernel, keys are
 * rows of D numbers with a distance between heads, so that a slot is a place where rows begin.
 */
export function cachedFlash(
  { inputs, attrs, backend }: KernelCall,
  runs: readonly RowRange[],
  kept: (name: string, make: () => Handle) => Handle,
  window: number | undefined,
): tf.TensorInfo {
  const { q, keys, values } = inputs as Record<'q' | 'keys' | 'values', tf.TensorInfo>;
  const [slotCount, keyHeads, maxLength, headDim] = keys.shape as [number, number, number, number];
  const { torch } = backend;
  const last = ({ length, count }: RowRange) => length + count - 1;
  const list = (name: string, numbers: () => number[]): Handle =>
    kept(name, () => backend.integers(Int32Array.from(numbers())));
  return backend.run(q.shape, 'float32', () => {
    // as many rows as there are from a first head to the end, whichever head that is
    const shape = [(slotCount - 1) * keyHeads * maxLength + maxLength, keyHeads, headDim];
    const strides = [headDim, maxLength * headDim, 1];
    const [y] = torch.callAll(
      '_flash_attention_forward',
      backend.handle(q),
      backend.view(keys, shape, strides),
      backend.view(values, shape, strides),
      list('flash ends', () => [0, ...runs.map(({ start, count }) => start + count)]),
      // where each slot begins; the last number is not read
      list('flash starts', () => [...runs.map(({ slot }) => slot * keyHeads * maxLength), 0]),
      runs.reduce((most, { count }) => Math.max(most, count), 0),
      runs.reduce((most, run) => Math.max(most, last(run)), 0),
      0,
      // the last row of a run sees everything, each row before it one position less
      true,
      false,
      attrs.scale as number,
      ...flashWindow(window),
      list('flash lengths', () => runs.map(last)),
    ) as [Handle];
    return torch.view(torch.rowMajor(y), q.shape);
  });
}
