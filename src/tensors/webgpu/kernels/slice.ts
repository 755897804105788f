import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import { elementGroups, type KernelCall, type Kernels, runTfjs } from './register.js';
import code from './slice.wgsl';

const program: Program = { name: 'Slice', code, buffers: 'rw' };

/**
 * Whole rows of integers keep all their bits. tfjs's kernel moves integers as floating-point numbers, and so do its
 * Concat, Tile, Transpose and PadV2: nothing here gives them integers above 2²⁴.
 */
function slice(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const x = inputs.x!;
  const { begin, size } = attrs as { begin: number | number[]; size: number | number[] };
  const [starts, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
  const isOfRows = sizes.every((length, axis) => axis === 0 || length === x.shape[axis]);
  if (x.dtype !== 'int32' || x.shape.length === 0 || !isOfRows || backend.hostValues(x)) {
    return runTfjs('Slice', call);
  }
  const out = backend.makeOutput(sizes, x.dtype);
  const inner = tf.util.sizeFromShape(sizes.slice(1));
  const count = tf.util.sizeFromShape(sizes);
  backend.run(program, [x, out], [count, starts[0]! * inner], [], elementGroups(count));
  return out;
}

export const kernels: Kernels = { Slice: slice };
