import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import type { Program } from '../program.js';
import { elementGroups, type KernelCall, type Kernels, runTfjs } from './register.js';
import code from './scatter.wgsl';

const link: Program = { name: 'scatter links', code, buffers: 'rw', entry: 'link' };
const add: Program = { name: 'scatter', code, buffers: 'rwrw', entry: 'add' };

/** Sums of the rows of `updates` [n, width] by their index, int32 [n]: [targets, width]. */
function sumByIndex(
  backend: WebGpuBackend,
  indices: tf.TensorInfo,
  updates: tf.TensorInfo,
  [n, width, targets]: [number, number, number],
  shape: number[],
): tf.TensorInfo {
  const out = backend.makeOutput(shape);
  if (targets * width === 0) return out;
  backend.clear(out);
  const links = backend.makeOutput([n, 2], 'int32');
  backend.run(link, [indices, links], [n, width, targets], [], elementGroups(n));
  backend.run(add, [indices, links, updates, out], [n, width, targets], [], elementGroups(n * width));
  backend.disposeData(links.dataId);
  return out;
}

function scatterNd(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { indices, updates } = call.inputs as Record<'indices' | 'updates', tf.TensorInfo>;
  const { shape } = call.attrs as { shape: number[] };
  if (indices.shape.at(-1) !== 1 || updates.dtype !== 'float32') return runTfjs('ScatterNd', call);
  const n = tf.util.sizeFromShape(indices.shape);
  const [targets, ...rest] = shape as [number, ...number[]];
  return sumByIndex(call.backend, indices, updates, [n, tf.util.sizeFromShape(rest), targets], shape);
}

function unsortedSegmentSum(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { x, segmentIds } = call.inputs as Record<'x' | 'segmentIds', tf.TensorInfo>;
  const { numSegments } = call.attrs as { numSegments: number };
  if (x.dtype !== 'float32' || segmentIds.shape.length !== 1) return runTfjs('UnsortedSegmentSum', call);
  const [n, ...rest] = x.shape as [number, ...number[]];
  const sizes: [number, number, number] = [n, tf.util.sizeFromShape(rest), numSegments];
  return sumByIndex(call.backend, segmentIds, x, sizes, [numSegments, ...rest]);
}

export const kernels: Kernels = { ScatterNd: scatterNd, UnsortedSegmentSum: unsortedSegmentSum };
