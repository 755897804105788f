import type { FloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import type { Handle } from '../library.js';
import type { OperationName } from '../schemas.js';
import type { Torch } from '../torch.js';
import { type KernelCall, register, runOnCpu } from './register.js';

type Unary = (torch: Torch, x: Handle) => Handle;
type Binary = (torch: Torch, a: Handle, b: Handle, dtype: tf.DataType) => Handle;

const unaryOperation =
  (name: OperationName): Unary =>
  (torch, x) =>
    torch.call(name, x);
const operation =
  (name: OperationName): Binary =>
  (torch, a, b) =>
    torch.call(name, a, b);

/** a + alpha · b. */
const sum = (torch: Torch, a: Handle, b: Handle, dtype: tf.DataType, alpha = 1): Handle =>
  dtype === 'int32' ? torch.addIntegers(a, b, alpha) : torch.add(a, b, alpha);

/** tfjs kernel → operation, same dtype out as in. */
const unary: Record<string, Unary> = {
  Abs: unaryOperation('abs'),
  Ceil: unaryOperation('ceil'),
  Cos: unaryOperation('cos'),
  Erf: unaryOperation('erf'),
  Exp: unaryOperation('exp'),
  Floor: unaryOperation('floor'),
  Log: unaryOperation('log'),
  Log1p: unaryOperation('log1p'),
  Neg: unaryOperation('neg'),
  Reciprocal: unaryOperation('reciprocal'),
  Relu: unaryOperation('relu'),
  Round: unaryOperation('round'),
  Rsqrt: unaryOperation('rsqrt'),
  Sigmoid: unaryOperation('sigmoid'),
  Sign: unaryOperation('sign'),
  Sin: unaryOperation('sin'),
  Sqrt: unaryOperation('sqrt'),
  Square: (torch, x) => torch.call('mul.Tensor', x, x),
  Tanh: unaryOperation('tanh'),
};

/** tfjs kernel → operation, same dtype out as in. */
const binary: Record<string, Binary> = {
  Add: sum,
  FloorDiv: (torch, a, b) => torch.call('div.Tensor_mode', a, b, 'floor'),
  Maximum: operation('maximum'),
  Minimum: operation('minimum'),
  Mod: operation('remainder.Tensor'),
  Multiply: operation('mul.Tensor'),
  Pow: operation('pow.Tensor_Tensor'),
  RealDiv: operation('div.Tensor'),
  SquaredDifference: (torch, a, b, dtype) => {
    const difference = sum(torch, a, b, dtype, -1);
    return torch.call('mul.Tensor', difference, difference);
  },
  Sub: (torch, a, b, dtype) => sum(torch, a, b, dtype, -1),
};

/** tfjs kernel → operation with a boolean result. */
const comparisons: Record<string, Binary> = {
  Equal: operation('eq.Tensor'),
  Greater: operation('gt.Tensor'),
  GreaterEqual: operation('ge.Tensor'),
  Less: operation('lt.Tensor'),
  LessEqual: operation('le.Tensor'),
  LogicalAnd: operation('logical_and'),
  LogicalOr: operation('logical_or'),
  NotEqual: operation('ne.Tensor'),
};

function runBinary({ inputs, backend }: KernelCall, f: Binary, dtype?: tf.DataType): tf.TensorInfo {
  const { a, b } = inputs as Record<'a' | 'b', tf.TensorInfo>;
  const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  return backend.run(shape, dtype ?? a.dtype, () =>
    f(backend.torch, backend.handle(a), backend.handle(b), a.dtype),
  );
}

function cast(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const x = call.inputs.x as tf.TensorInfo;
  const dtype = call.attrs.dtype as tf.DataType;
  const { backend } = call;
  if (x.dtype === dtype) return backend.share(x, x.shape);
  if (dtype === 'complex64') return runOnCpu('Cast', call);
  const target = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
  return backend.run(x.shape, dtype, () => backend.torch.cast(backend.handle(x), target));
}

/** A float32 of tfjs in another type of torch. */
function toFloatType({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  return backend.run(x.shape, 'float32', () =>
    backend.torch.cast(backend.handle(x), attrs.type as FloatType),
  );
}

/** Kernels that take every element by itself. */
export function registerElementwise(): void {
  for (const [name, f] of Object.entries(unary)) {
    register(name, ({ inputs, backend }) => {
      const x = inputs.x as tf.TensorInfo;
      return backend.run(x.shape, x.dtype, () => f(backend.torch, backend.handle(x)));
    });
  }
  for (const [name, f] of Object.entries(binary)) register(name, (call) => runBinary(call, f));
  for (const [name, f] of Object.entries(comparisons)) register(name, (call) => runBinary(call, f, 'bool'));
  for (const [name, f] of [
    ['IsNan', 'isnan'],
    ['LogicalNot', 'logical_not'],
  ] as const) {
    register(name, ({ inputs, backend }) => {
      const x = inputs.x as tf.TensorInfo;
      return backend.run(x.shape, 'bool', () => backend.torch.call(f, backend.handle(x)));
    });
  }
  register('Select', ({ inputs, backend }) => {
    const { condition, t, e } = inputs as Record<'condition' | 't' | 'e', tf.TensorInfo>;
    return backend.run(t.shape, t.dtype, () => {
      // a condition of rank 1 chooses whole rows
      const rows = condition.shape.length === 1 && t.shape.length > 1;
      const shape = rows ? [condition.shape[0] as number, ...t.shape.slice(1).map(() => 1)] : condition.shape;
      const chosen = backend.view(condition, shape);
      return backend.torch.call('where.self', chosen, backend.handle(t), backend.handle(e));
    });
  });
  register('Cast', cast);
  register('ToFloatType', toFloatType);
  register('AddN', ({ inputs, backend }) => {
    const tensors = inputs as unknown as tf.TensorInfo[];
    const [first, ...others] = tensors as [tf.TensorInfo, ...tf.TensorInfo[]];
    if (others.length === 0) return backend.share(first, first.shape);
    return backend.run(first.shape, first.dtype, () =>
      others.reduce(
        (total, tensor) => sum(backend.torch, total, backend.handle(tensor), first.dtype),
        backend.handle(first),
      ),
    );
  });
}
