import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import type { Program } from '../program.js';
import code from './arithmetic.wgsl';
import { bitsOf } from './fill.js';
import { collapse, padded, stridesOf } from './move.js';
import { isOnHost, type KernelCall, type KernelImplementation, type Kernels, runTfjs } from './register.js';

/** WGSL's bodies of functions of two integers. A division by zero gives 0, as where its infinity is cast. */
const binary: Readonly<Record<string, string>> = {
  Add: 'return a + b;',
  Sub: 'return a - b;',
  Multiply: 'return a * b;',
  Maximum: 'return max(a, b);',
  Minimum: 'return min(a, b);',
  SquaredDifference: 'return (a - b) * (a - b);',
  FloorDiv: 'if (b == 0) { return 0; } return a / b - select(0, 1, a % b != 0 && (a < 0) != (b < 0));',
  Mod: 'if (b == 0) { return 0; } let rest = a % b; return select(rest, rest + b, rest != 0 && (rest < 0) != (b < 0));',
};
const comparisons: Readonly<Record<string, string>> = {
  Equal: 'return a == b;',
  NotEqual: 'return a != b;',
  Less: 'return a < b;',
  LessEqual: 'return a <= b;',
  Greater: 'return a > b;',
  GreaterEqual: 'return a >= b;',
};
const unary: Readonly<Record<string, string>> = {
  Neg: 'return -a;',
  Abs: 'return abs(a);',
  Sign: 'return sign(a);',
  Square: 'return a * a;',
  Relu: 'return max(a, 0);',
  ClipByValue: 'return min(max(a, params.low), params.high);',
};

/** A kernel for any two shapes, and one for two that are the same, which is most of them. */
interface Forms {
  readonly broadcast: Program;
  readonly inOnePiece: Program;
}

function formsOf(name: string, body: string, type: 'f32' | 'i32' | 'bool', byNumber = false): Forms {
  const program: Program = {
    name: `${name}${type === 'f32' ? '' : ' of integers'}${byNumber ? ' by a number' : ''}`,
    code:
      `alias Value = ${type === 'f32' ? 'f32' : 'i32'}; alias Result = Value;\n` +
      `fn op(a: Value, b: Value) -> ${type} { ${body} }\n${code}`,
    buffers: 'rrw',
    over: 'elements',
  };
  const constants = { BY_NUMBER: Number(byNumber) };
  return {
    broadcast: { ...program, constants },
    inOnePiece: { ...program, constants: { ...constants, IN_ONE_PIECE: 1 } },
  };
}

/** Floating-point numbers that are few. */
const FEW = 1 << 18;

/** How far neighbours of each dimension of a broadcast shape are apart in a tensor: 0 where it is repeated. */
function broadcastStrides(shape: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = to.length - shape.length;
  return to.map((_, i) => (i < missing || shape[i - missing] === 1 ? 0 : strides[i - missing]!));
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

function run(
  backend: WebGpuBackend,
  { broadcast, inOnePiece }: Forms,
  [a, b]: readonly [tf.TensorInfo, tf.TensorInfo],
  dtype: tf.DataType,
  limits: readonly [number, number] = [0, 0],
): tf.TensorInfo {
  if (sameShape(a.shape, b.shape)) {
    const size = tf.util.sizeFromShape(a.shape);
    const out = backend.makeOutput(a.shape, dtype);
    backend.run(inOnePiece, [a, b, out], [size, 1, limits[0], limits[1]], []);
    return out;
  }
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const out = backend.makeOutput(shape, dtype);
  const [readsA, readsB] = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)];
  const walk = collapse({ shape, reads: readsA, writes: readsB });
  const numbers = [tf.util.sizeFromShape(shape), walk.shape.length, ...limits, ...padded(walk.shape)];
  backend.run(broadcast, [a, b, out], [...numbers, ...padded(walk.reads), ...padded(walk.writes)], []);
  return out;
}

type Limits = Record<'clipValueMin' | 'clipValueMax', number>;

/** tfjs's kernels compute integers as floating-point numbers, which have 24 bits. */
function onIntegers(name: string, forms: Forms, dtype: tf.DataType): KernelImplementation {
  return (call) => {
    const { inputs, backend, attrs } = call;
    const [a, b = a] = (inputs.x ? [inputs.x] : [inputs.a, inputs.b]) as [tf.TensorInfo, tf.TensorInfo];
    const areIntegers = a.dtype === 'int32' && b.dtype === 'int32';
    if (!areIntegers || isOnHost(backend, name, [a, b])) return runTfjs(name, call);
    // operations without attributes have none
    const { clipValueMin = 0, clipValueMax = 0 } = (attrs ?? {}) as Partial<Limits>;
    const limits = [Math.ceil(clipValueMin), Math.floor(clipValueMax)].map((limit) =>
      Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, limit)),
    ) as [number, number];
    return run(backend, forms, [a, b], dtype, limits);
  };
}

const table = (bodies: Readonly<Record<string, string>>, type: 'i32' | 'bool'): Kernels =>
  Object.fromEntries(
    Object.entries(bodies).map(([name, body]) => [
      name,
      onIntegers(name, formsOf(name, body, type), type === 'i32' ? 'int32' : 'bool'),
    ]),
  );

/**
 * Of floating-point numbers where there are few: tfjs's kernels take four at a time, but each costs the host several
 * times what one of ours does. A number that the host knows is a parameter and no buffer.
 */
function onFew(name: string, body: string, otherwise: KernelImplementation): KernelImplementation {
  const forms = formsOf(name, body, 'f32');
  const byNumber = formsOf(name, body, 'f32', true);
  return (call) => {
    const { inputs, backend } = call;
    const [a, b = a] = (inputs.x ? [inputs.x] : [inputs.a, inputs.b]) as [tf.TensorInfo, tf.TensorInfo];
    const [sizeA, sizeB] = [tf.util.sizeFromShape(a.shape), tf.util.sizeFromShape(b.shape)];
    const isFew = sizeA < FEW && sizeB < FEW;
    if (!isFew || a.dtype !== 'float32' || b.dtype !== 'float32' || isOnHost(backend, name, [a, b])) {
      return otherwise(call);
    }
    const number = sizeB === 1 && b.shape.length <= a.shape.length ? backend.hostValues(b) : undefined;
    if (!number) return run(backend, forms, [a, b], 'float32');
    return run(backend, byNumber, [a, a], 'float32', [bitsOf(Number(number[0]), 'float32'), 0]);
  };
}

const integers: Kernels = {
  ...table(binary, 'i32'),
  ...table(comparisons, 'bool'),
  ...table(unary, 'i32'),
};

const sum = formsOf('AddN', binary.Add!, 'i32');

/** The sum of tensors of integers. */
export function addIntegers({ inputs, backend }: KernelCall): tf.TensorInfo {
  const [first, ...others] = inputs as unknown as [tf.TensorInfo, ...tf.TensorInfo[]];
  let total = first;
  for (const other of others) {
    const next = run(backend, sum, [total, other], 'int32');
    if (total !== first) backend.disposeData(total.dataId);
    total = next;
  }
  return total;
}

export const kernels: Kernels = {
  ...integers,
  Add: onFew('Add', binary.Add!, integers.Add!),
  Sub: onFew('Sub', binary.Sub!, integers.Sub!),
  Multiply: onFew('Multiply', binary.Multiply!, integers.Multiply!),
  RealDiv: onFew('RealDiv', 'return a / b;', (call) => runTfjs('RealDiv', call)),
  Neg: onFew('Neg', unary.Neg!, integers.Neg!),
};
