import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import type { Program } from '../program.js';
import code from './fill.wgsl';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

const program: Program = { name: 'Fill', code, buffers: 'w', over: 'elements' };

const word = new DataView(new ArrayBuffer(4));

/** The bits of a number of four bytes, as an integer. */
export function bitsOf(value: number, dtype: tf.DataType): number {
  if (dtype === 'float32') word.setFloat32(0, value);
  else word.setInt32(0, value);
  return word.getInt32(0);
}

/** A tensor of one number. */
export function fill(
  backend: WebGpuBackend,
  shape: number[],
  dtype: tf.DataType,
  value: number,
): tf.TensorInfo {
  const out = backend.makeOutput(shape, dtype);
  backend.run(program, [out], [tf.util.sizeFromShape(shape), bitsOf(value, dtype)], []);
  return out;
}

/** tfjs's kernel takes an integer as a floating-point number. */
function fillKernel(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { shape, value, dtype } = call.attrs as { shape: number[]; value: number; dtype?: tf.DataType };
  const type = dtype ?? tf.util.inferDtype(value);
  if (typeof value === 'string' || type === 'complex64') return runTfjs('Fill', call);
  return fill(call.backend, shape, type, Number(value));
}

export const kernels: Kernels = { Fill: fillKernel };
