import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { laneFold, type Program, programFor } from '../program.js';
import cumsumCode from './cumsum-integers.wgsl';
import code from './integer-reductions.wgsl';
import { transpose } from './movement.js';
import type { KernelCall } from './register.js';

const [LOWEST, HIGHEST] = [-(2 ** 31), 2 ** 31 - 1];

/** Reductions by tfjs's names: WGSL's function of two integers, and the number that changes none. */
const reductions: Readonly<Record<string, readonly [string, number]>> = {
  Sum: ['a + b', 0],
  Prod: ['a * b', 1],
  Max: ['max(a, b)', LOWEST],
  Min: ['min(a, b)', HIGHEST],
};

const folding = laneFold('foldOfLanes', 'i32', 'op(a, b)');

const programOf = programFor((name: string): Program => {
  const [expression, first] = reductions[name]!;
  return {
    name: `${name} of integers`,
    code: `fn op(a: i32, b: i32) -> i32 { return ${expression}; }\n${folding}${code}`,
    buffers: 'rw',
    over: 'rows',
    constants: { FIRST: first },
  };
});

const cumsums = programFor(
  (key: number): Program => ({
    name: 'Cumsum of integers',
    code: cumsumCode,
    buffers: 'rw',
    over: 'elements',
    constants: { EXCLUSIVE: key & 1, REVERSE: key >> 1 },
  }),
);

/** Runs a program over the rows that the last axes of `x` are, after `axes` were brought there. */
function overRows(backend: WebGpuBackend, program: Program, x: tf.TensorInfo, axes: number[]): tf.TensorInfo {
  const rank = x.shape.length;
  const permutation = tf.backend_util.getAxesPermutation(axes, rank);
  const moved = permutation ? transpose(backend, x, permutation) : undefined;
  const shape = x.shape.filter((_, axis) => !axes.includes(axis));
  const out = backend.makeOutput(shape, 'int32');
  const width = tf.util.sizeFromShape(axes.map((axis) => x.shape[axis]!));
  backend.run(program, [moved ?? x, out], [tf.util.sizeFromShape(shape), width], []);
  if (moved) backend.disposeData(moved.dataId);
  return out;
}

/** Sum, product, largest or smallest of integers, with all their bits. */
export function reduceIntegers(name: string, { inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  // tfjs's Max calls its axes otherwise than the others do
  const { axis, reductionIndices, keepDims } = attrs as Partial<
    Record<'axis' | 'reductionIndices', number | number[]>
  > & { keepDims: boolean };
  const x = inputs.x!;
  const axes = tf.util.parseAxisParam((axis ?? reductionIndices)!, x.shape);
  const { dataId, dtype, shape } = overRows(backend, programOf(name), x, axes);
  return { dataId, dtype, shape: keepDims ? tf.backend_util.expandShapeToKeepDim(shape, axes) : shape };
}

/** Running sums of integers along an axis. */
export function cumsumOfIntegers({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
  const { shape } = inputs.x!;
  const [at] = tf.util.parseAxisParam(axis, shape) as [number];
  const out = backend.makeOutput(shape, 'int32');
  const [outer, inner] = [shape.slice(0, at), shape.slice(at + 1)].map((part) => tf.util.sizeFromShape(part));
  const program = cumsums(Number(exclusive) | (Number(reverse) << 1));
  backend.run(program, [inputs.x!, out], [outer! * inner!, shape[at]!, inner!], []);
  return out;
}
