import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import type { Program } from '../program.js';
import code from './move.wgsl';

const program: Program = { name: 'move', code, buffers: 'rrw', over: 'elements' };
const lookUp: Program = { ...program, name: 'move by numbers', constants: { LOOKED_UP: 1 } };

/** Dimensions that a kernel goes over. */
const MOST_DIMENSIONS = 8;

/** A walk over two tensors: how far neighbours of each dimension are apart in both, in elements. */
export interface Walk {
  readonly shape: readonly number[];
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** The elements at which it begins. */
  readonly firstRead?: number;
  readonly firstWritten?: number;
}

/** Whether a tensor's elements are four bytes on the device. */
export const isPlain = ({ dtype }: tf.TensorInfo): boolean =>
  dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

/** How far neighbours of each dimension of a tensor are apart. */
export const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => tf.util.sizeFromShape(shape.slice(axis + 1)));

/** The same walk over as few dimensions as there can be: neighbours that lie in one piece are one. */
export function collapse({ shape, reads, writes, ...first }: Walk): Walk {
  const kept: { shape: number[]; reads: number[]; writes: number[] } = { shape: [], reads: [], writes: [] };
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const last = kept.shape.length - 1;
    const [read, write] = [reads[axis]!, writes[axis]!];
    if (last >= 0 && kept.reads[last] === read * length && kept.writes[last] === write * length) {
      kept.shape[last]! *= length;
      kept.reads[last] = read;
      kept.writes[last] = write;
    } else {
      kept.shape.push(length);
      kept.reads.push(read);
      kept.writes.push(write);
    }
  }
  return kept.shape.length === 0 ? { shape: [1], reads: [0], writes: [0], ...first } : { ...kept, ...first };
}

/** Numbers of dimensions as kernels take them. */
export const padded = (numbers: readonly number[]): number[] =>
  Array.from({ length: MOST_DIMENSIONS }, (_, i) => numbers[i] ?? 0);

function run(
  backend: WebGpuBackend,
  moved: Program,
  tensors: readonly tf.TensorInfo[],
  { shape, reads, writes, firstRead = 0, firstWritten = 0 }: Walk,
): void {
  if (shape.length > MOST_DIMENSIONS) {
    throw new Error(
      `webgpu: moving [${shape}] takes ${shape.length} dimensions; kernels go over at most ${MOST_DIMENSIONS}`,
    );
  }
  const size = tf.util.sizeFromShape([...shape]);
  const numbers = [size, shape.length, firstRead, firstWritten, ...padded(shape)];
  backend.run(moved, tensors, [...numbers, ...padded(reads), ...padded(writes)], []);
}

/** Copies elements of `x` into `out`, with all of their bits. */
export function move(backend: WebGpuBackend, x: tf.TensorInfo, out: tf.TensorInfo, walk: Walk): void {
  run(backend, program, [x, x, out], collapse(walk));
}

/** Rows [outer, rows, inner] of `x` by their numbers, a list: [outer, numbers, inner]. */
export function moveByNumbers(
  backend: WebGpuBackend,
  x: tf.TensorInfo,
  numbers: tf.TensorInfo,
  out: tf.TensorInfo,
  [outer, rows, inner]: [number, number, number],
): void {
  const shape = [outer, tf.util.sizeFromShape(numbers.shape), inner];
  const walk = { shape, reads: [rows * inner, inner, 1], writes: stridesOf(shape) };
  run(backend, lookUp, [x, numbers, out], walk);
}
