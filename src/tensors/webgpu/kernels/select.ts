import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import { isPlain } from './move.js';
import { type KernelCall, type Kernels, runTfjs } from './register.js';
import code from './select.wgsl';

const program: Program = { name: 'Select', code, buffers: 'rrrw', over: 'elements' };

function select(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { condition, t, e } = call.inputs as Record<'condition' | 't' | 'e', tf.TensorInfo>;
  if (!isPlain(t) || t.dtype !== e.dtype) return runTfjs('Select', call);
  const out = call.backend.makeOutput(t.shape, t.dtype);
  const size = tf.util.sizeFromShape(t.shape);
  const inner = Math.max(1, size / Math.max(1, tf.util.sizeFromShape(condition.shape)));
  call.backend.run(program, [condition, t, e, out], [size, inner], []);
  return out;
}

export const kernels: Kernels = { Select: select };
