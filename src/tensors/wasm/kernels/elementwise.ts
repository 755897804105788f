import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { type KernelCall, register, runOnCpu } from './register.js';
import { broadcastStrides, collapse, outerTable, stepsOf } from './strides.js';

/** Elements of one chunk of a cheap kernel: a multiple of four, about 10 µs of work. */
export const GRAIN = 16384;

/** Runs an export over a whole tensor's elements. */
export function runFlat(
  backend: WasmBackend,
  name: string,
  args: readonly number[],
  size: number,
  grain = GRAIN,
): void {
  backend.runtime.run(backend.runtime.kernel(name), args, size, grain);
}

/** tfjs kernel name → our export, for float32. */
const UNARY: Record<string, string> = {
  Neg: 'neg',
  Abs: 'abs',
  Exp: 'exp',
  Log: 'log',
  Sqrt: 'sqrt',
  Rsqrt: 'rsqrt',
  Square: 'square',
  Reciprocal: 'reciprocal',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
  Relu: 'relu',
  Floor: 'floor',
  Ceil: 'ceil',
  Round: 'round',
};

/** tfjs kernel name → our export for float32, and for int32 where there is one; comparisons give booleans. */
const BINARY: Record<string, { float: string; int?: string; comparison?: boolean }> = {
  Add: { float: 'add', int: 'addInt' },
  Sub: { float: 'sub', int: 'subInt' },
  Multiply: { float: 'mul', int: 'mulInt' },
  RealDiv: { float: 'div' },
  Maximum: { float: 'maximum', int: 'maximumInt' },
  Minimum: { float: 'minimum', int: 'minimumInt' },
  SquaredDifference: { float: 'squaredDifference' },
  Equal: { float: 'equal', int: 'equalInt', comparison: true },
  NotEqual: { float: 'notEqual', int: 'notEqualInt', comparison: true },
  Less: { float: 'less', int: 'lessInt', comparison: true },
  LessEqual: { float: 'lessEqual', int: 'lessEqualInt', comparison: true },
  Greater: { float: 'greater', int: 'greaterInt', comparison: true },
  GreaterEqual: { float: 'greaterEqual', int: 'greaterEqualInt', comparison: true },
};

function binary(
  backend: WasmBackend,
  name: string,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  out: tf.TensorInfo,
): void {
  const { runtime } = backend;
  const pointers = [backend.pointer(a), backend.pointer(b), backend.pointer(out)];
  const kernel = runtime.kernel(name);
  const size = tf.util.sizeFromShape(out.shape);
  if (tf.util.arraysEqual(a.shape, b.shape)) {
    runtime.run(kernel, [...pointers, 0, 1, 1, 0, 0], size, GRAIN);
    return;
  }
  const strides = [broadcastStrides(a.shape, out.shape), broadcastStrides(b.shape, out.shape)];
  const axes = collapse(out.shape, strides);
  const inner = axes.pop() ?? { dimension: 1, strides: [1, 1] };
  const steps = inner.strides as [number, number];
  if (axes.length === 0) {
    runtime.run(kernel, [...pointers, 0, ...steps, 0, 0], size, GRAIN);
    return;
  }
  const table = runtime.table(outerTable(axes));
  const args = [...pointers, inner.dimension, ...steps, axes.length, table];
  runtime.run(kernel, args, stepsOf(axes), Math.ceil(GRAIN / inner.dimension));
}

/** Source and target dtype → our export. */
const CASTS: Record<string, string> = {
  'float32 int32': 'castFloatToInt',
  'int32 float32': 'castIntToFloat',
  'bool int32': 'castBoolToInt',
  'bool float32': 'castBoolToFloat',
};

function castTo(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const x = call.inputs.x as tf.TensorInfo;
  const dtype = call.attrs.dtype as tf.DataType;
  if (x.dtype === dtype) return backend.share(x, x.shape);
  const kernel = CASTS[`${x.dtype} ${dtype}`];
  if (!kernel) return runOnCpu('Cast', call);
  const out = backend.makeOutput(x.shape, dtype);
  const size = tf.util.sizeFromShape(x.shape);
  runFlat(backend, kernel, [backend.pointer(x), backend.pointer(out)], size);
  return out;
}

/** A new tensor of one value. */
export function fill(
  backend: WasmBackend,
  shape: number[],
  dtype: tf.DataType,
  value: number,
): tf.TensorInfo {
  const out = backend.makeOutput(shape, dtype);
  const size = tf.util.sizeFromShape(shape);
  if (dtype === 'float32') runFlat(backend, 'fillFloat', [backend.pointer(out), value], size, 4 * GRAIN);
  else if (dtype === 'int32') runFlat(backend, 'fillInt', [backend.pointer(out), value], size, 4 * GRAIN);
  else backend.view(out).fill(value);
  return out;
}

function isNumeric(dtype: tf.DataType): boolean {
  return dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
}

/** Elementwise kernels with broadcasting, casts and fills. */
export function registerElementwise(): void {
  for (const [name, kernel] of Object.entries(UNARY)) {
    register(name, (call) => {
      const x = call.inputs.x as tf.TensorInfo;
      if (x.dtype !== 'float32') return runOnCpu(name, call);
      const out = call.backend.makeOutput(x.shape, 'float32');
      const pointers = [call.backend.pointer(x), call.backend.pointer(out)];
      runFlat(call.backend, kernel, pointers, tf.util.sizeFromShape(x.shape));
      return out;
    });
  }
  for (const [name, { float, int, comparison }] of Object.entries(BINARY)) {
    register(name, (call) => {
      const { backend } = call;
      const a = call.inputs.a as tf.TensorInfo;
      const b = call.inputs.b as tf.TensorInfo;
      const kernel = a.dtype === 'float32' ? float : a.dtype === 'int32' ? int : undefined;
      if (kernel === undefined || a.dtype !== b.dtype) return runOnCpu(name, call);
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      const out = backend.makeOutput(shape, comparison ? 'bool' : a.dtype);
      if (tf.util.sizeFromShape(shape) > 0) binary(backend, kernel, a, b, out);
      return out;
    });
  }
  register('IsNan', (call) => {
    const x = call.inputs.x as tf.TensorInfo;
    if (x.dtype !== 'float32') return runOnCpu('IsNan', call);
    const out = call.backend.makeOutput(x.shape, 'bool');
    binary(call.backend, 'notEqual', x, x, out);
    return out;
  });
  register('ClipByValue', (call) => {
    const x = call.inputs.x as tf.TensorInfo;
    if (x.dtype !== 'float32') return runOnCpu('ClipByValue', call);
    const { clipValueMin, clipValueMax } = call.attrs as { clipValueMin: number; clipValueMax: number };
    const out = call.backend.makeOutput(x.shape, 'float32');
    const args = [call.backend.pointer(x), call.backend.pointer(out), clipValueMin, clipValueMax];
    runFlat(call.backend, 'clip', args, tf.util.sizeFromShape(x.shape));
    return out;
  });
  register('Select', (call) => {
    const { condition, t, e } = call.inputs as Record<'condition' | 't' | 'e', tf.TensorInfo>;
    const sameShapes = tf.util.arraysEqual(condition.shape, t.shape) && tf.util.arraysEqual(t.shape, e.shape);
    if (!sameShapes || t.dtype !== e.dtype || (t.dtype !== 'float32' && t.dtype !== 'int32')) {
      return runOnCpu('Select', call);
    }
    const out = call.backend.makeOutput(t.shape, t.dtype);
    const pointers = [condition, t, e, out].map((tensor) => call.backend.pointer(tensor));
    runFlat(call.backend, 'select', pointers, tf.util.sizeFromShape(t.shape));
    return out;
  });
  register('Cast', castTo);
  register('Fill', (call) => {
    const { shape, value, dtype } = call.attrs as { shape: number[]; value: number; dtype?: tf.DataType };
    const type = dtype ?? tf.util.inferDtype(value);
    return isNumeric(type) ? fill(call.backend, shape, type, value) : runOnCpu('Fill', call);
  });
  for (const [name, value] of [
    ['ZerosLike', 0],
    ['OnesLike', 1],
  ] as const) {
    register(name, (call) => {
      const x = call.inputs.x as tf.TensorInfo;
      return isNumeric(x.dtype) ? fill(call.backend, x.shape, x.dtype, value) : runOnCpu(name, call);
    });
  }
}
