import * as tf from '../../tf.js';
import { laneFold, type Program, programFor } from '../program.js';
import extremesCode from './extremes.wgsl';
import { transpose } from './movement.js';
import orderCode from './order.wgsl';
import { type KernelCall, type KernelImplementation, type Kernels, runTfjs } from './register.js';
import code from './top-k.wgsl';

/** Numbers of a row that are sorted in workgroup memory. */
const MOST = 1024;

/** Lanes of a workgroup of the kernel that finds the largest numbers. */
const LANES = 256;

/** WGSL's type of a tensor's numbers, and their order. */
const typed = (dtype: string): string =>
  dtype === 'float32'
    ? `alias Value = f32;\n${orderCode}\nfn orderOf(x: f32) -> u32 { return orderOfFloat(x); }`
    : `alias Value = i32;\n${orderCode}\nfn orderOf(x: i32) -> u32 { return orderOfInteger(x); }`;

const largest = programFor((key: string): Program => {
  const [dtype, padded] = key.split(' ') as [string, string];
  return {
    name: 'TopK',
    code: `${typed(dtype)}\nconst PADDED = ${padded}u;\n${code}`,
    buffers: 'rww',
  };
});

const best = laneFold('bestOfLanes', 'vec2u', 'better(a, b)');

const extremes = programFor((key: string): Program => {
  const [dtype, smallest] = key.split(' ') as [string, string];
  return {
    name: smallest === 'true' ? 'ArgMin' : 'ArgMax',
    code: `${typed(dtype)}\nconst SMALLEST = ${smallest};\n${best}${extremesCode}`,
    buffers: 'rw',
    over: 'rows',
  };
});

const isOrdered = ({ dtype }: tf.TensorInfo): boolean => dtype === 'float32' || dtype === 'int32';

/** The k largest numbers along the last axis and their columns, always sorted. */
function topK(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { k } = attrs as { k: number };
  const x = inputs.x!;
  const width = x.shape.at(-1) as number;
  const fewLanes = backend.device.limits.maxComputeInvocationsPerWorkgroup < LANES;
  if (!isOrdered(x) || k === 0 || k > MOST || fewLanes) return runTfjs('TopK', call);
  const shape = [...x.shape.slice(0, -1), k];
  const [values, columns] = [backend.makeOutput(shape, x.dtype), backend.makeOutput(shape, 'int32')];
  const rows = tf.util.sizeFromShape(x.shape) / Math.max(1, width);
  const program = largest(`${x.dtype} ${2 ** Math.ceil(Math.log2(k))}`);
  backend.run(program, [x, values, columns], [rows, width, k], [], rows);
  return [values, columns];
}

/** Where the largest, or the smallest, number along an axis is: the first among equals. */
const extreme =
  (name: 'ArgMax' | 'ArgMin'): KernelImplementation =>
  (call) => {
    const { inputs, attrs, backend } = call;
    const x = inputs.x!;
    if (!isOrdered(x)) return runTfjs(name, call);
    const axes = tf.util.parseAxisParam((attrs as { axis: number }).axis, x.shape);
    const permutation = tf.backend_util.getAxesPermutation(axes, x.shape.length);
    const moved = permutation ? transpose(backend, x, permutation) : undefined;
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    const out = backend.makeOutput(shape, 'int32');
    const program = extremes(`${x.dtype} ${name === 'ArgMin'}`);
    const sizes = [tf.util.sizeFromShape(shape), x.shape[axes[0]!]!];
    backend.run(program, [moved ?? x, out], sizes, []);
    if (moved) backend.disposeData(moved.dataId);
    return out;
  };

export const kernels: Kernels = { ArgMax: extreme('ArgMax'), ArgMin: extreme('ArgMin'), TopK: topK };
