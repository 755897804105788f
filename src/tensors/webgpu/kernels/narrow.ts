import type { FloatType } from '../../precision.js';
import * as tf from '../../tf.js';
import { type Program, programFor } from '../program.js';
import roundingCode from '../rounding.wgsl';
import { widened } from '../widen.js';
import narrowCode from './narrow.wgsl';
import type { KernelCall, Kernels } from './register.js';

const narrowing = programFor(
  (type: FloatType): Program => ({
    name: `ToFloatType ${type}`,
    code: `${roundingCode}${narrowCode}`,
    buffers: 'rw',
    over: 'elements',
    constants: { BFLOAT16: type === 'bfloat16' ? 1 : 0 },
    takesNarrow: true,
  }),
);

/** Vectors stay as they are: they are few numbers, and would be widened for each use. */
function toFloatType({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x!;
  const { type } = attrs as { type: FloatType };
  const from = backend.floatType(x);
  const same = from === type || (from === 'float32' && x.shape.length !== 2);
  if (same) {
    backend.incRef(x.dataId);
    return { ...x };
  }
  if (type === 'float32') return widened(backend, x);
  // from one narrow type to another by way of float32
  const wide = from === 'float32' ? x : widened(backend, x);
  const out = backend.makeNarrow(x.shape, type);
  const count = tf.util.sizeFromShape(x.shape);
  backend.run(narrowing(type), [wide, out], [Math.ceil(count / 2), count], []);
  if (wide !== x) backend.disposeData(wide.dataId);
  return out;
}

/** Zeros that are never in float32; in it where two rows would share a word. */
function zerosOfType({ attrs, backend }: KernelCall): tf.TensorInfo {
  const { shape, type } = attrs as { shape: number[]; type: FloatType };
  const isNarrow = type !== 'float32' && shape.at(-1)! % 2 === 0;
  const out = isNarrow ? backend.makeNarrow(shape, type) : backend.makeOutput(shape);
  backend.clear(out);
  return out;
}

export const kernels: Kernels = { ToFloatType: toFloatType, ZerosOfType: zerosOfType };
