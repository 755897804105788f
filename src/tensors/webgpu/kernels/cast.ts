import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import code from './cast.wgsl';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

const program: Program = { name: 'Cast', code, buffers: 'rw', over: 'elements' };

/** tfjs's kernel leaves integers in the buffer of what is then called floating-point numbers. */
function cast(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const x = call.inputs.x!;
  const { dtype } = call.attrs as { dtype: tf.DataType };
  if (dtype !== 'float32' || (x.dtype !== 'int32' && x.dtype !== 'bool')) return runTfjs('Cast', call);
  const { backend } = call;
  const known = backend.hostValues(x);
  if (known) return backend.makeTensorInfo(x.shape, dtype, Float32Array.from(known as Int32Array));
  const out = backend.makeOutput(x.shape);
  const size = tf.util.sizeFromShape(x.shape);
  backend.run(program, [x, out], [size], []);
  return out;
}

export const kernels: Kernels = { Cast: cast };
