import { UserError } from '../common/errors.js';
import { type FloatType, floatTypes } from './precision.js';
import * as tf from './tf.js';

export type { FloatType } from './precision.js';

/** What a backend offers that knows other types than float32. */
interface HasFloatTypes {
  floatType(tensor: tf.TensorInfo): FloatType;
  /** Whether other types are for keeping matrices and caches alone: kernels widen what they read and compute in float32. */
  readonly computesInFloat32?: boolean;
  /** Why the device does not compute in a type; undefined when it does. */
  refusal(type: FloatType): string | undefined;
}

const KERNEL = 'ToFloatType';
const ZEROS = 'ZerosOfType';

/** The type in which the active backend keeps a tensor's elements; tfjs itself sees float32 in any case. */
export function floatTypeOf(x: tf.Tensor): FloatType {
  const backend = tf.backend() as Partial<HasFloatTypes>;
  return backend.floatType?.(x) ?? 'float32';
}

/**
 * The same values in another element type. Operations keep the type of what they are given, so this is where a
 * computation in half the bytes begins; its gradient comes back in the type that `x` has.
 */
export function toFloatType<T extends tf.Tensor>(x: T, type: FloatType): T {
  const from = floatTypeOf(x);
  if (from === type) return x;
  return tf.engine().runKernel(KERNEL, { x }, { type, from }) as T;
}

tf.registerGradient({
  kernelName: KERNEL,
  gradFunc: (dy, _saved, attributes) => {
    const { from } = attributes as unknown as { from: FloatType };
    return { x: () => toFloatType(dy as tf.Tensor, from) };
  },
});

/** Zeros in an element type, which take no more memory while they are made where the backend can. */
export function zerosOfType(shape: number[], type: FloatType): tf.Tensor {
  if (!tf.getKernel(ZEROS, tf.getBackend())) return tf.tidy(() => toFloatType(tf.zeros(shape), type));
  return tf.engine().runKernel(ZEROS, {}, { shape, type }) as tf.Tensor;
}

/** The type of activations on the active backend, when weights are to be kept in `type`. */
export function computeType(type: FloatType): FloatType {
  return (tf.backend() as Partial<HasFloatTypes>).computesInFloat32 ? 'float32' : type;
}

/** A weight as a product with x takes it: in x's type, or as it is where kernels widen what they read. */
export function operandFor<T extends tf.Tensor>(x: tf.Tensor, weight: T): T {
  const { computesInFloat32 } = tf.backend() as Partial<HasFloatTypes>;
  return computesInFloat32 ? weight : toFloatType(weight, floatTypeOf(x));
}

/** Checks what was asked for against the active backend. @throws {UserError} when it cannot compute in that type */
export function assertFloatType(type: string): asserts type is FloatType {
  if (!(floatTypes as readonly string[]).includes(type)) {
    throw new UserError(`\`dtype\`: unknown type "${type}". Known: ${floatTypes.join(', ')}`);
  }
  if (type !== 'float32' && !tf.getKernel(KERNEL, tf.getBackend())) {
    throw new UserError(
      `\`dtype: ${type}\`: the backend ${tf.getBackend()} computes in float32 only; ` +
        'choose `backend: torch`, or float32',
    );
  }
  const refusal = (tf.backend() as Partial<HasFloatTypes>).refusal?.(type as FloatType);
  if (refusal) throw new UserError(`\`dtype: ${type}\`: ${refusal}`);
}
