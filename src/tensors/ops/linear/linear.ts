import { floatTypeOf, operandFor, toFloatType } from '../../float-type.js';
import { isRecording } from '../../gradients.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed, sumRows } from '../named.js';

/**
 * x · weightᵀ + bias: x [n, in], weight [out, in] (the layout of checkpoints, never transposed in memory),
 * bias [out] → [n, out], in x's type.
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  return apply('Linear', {}, x, weight, bias);
}

/**
 * The same with a weight that has no gradient: x is not kept for it, which for the wide input of a feed-forward's
 * last projection is a quarter of what a layer keeps.
 */
export function frozenLinear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  // a second copy in a faster layout pays where there is room for it: not in training, which needs it for itself
  return apply('FrozenLinear', { mayPack: !isRecording() }, x, weight, bias);
}

/** One or the other, by whether the weight is a variable that training changes. */
export function project(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  const trained = weight instanceof tf.Variable && weight.trainable;
  return trained ? linear(x, weight, bias) : frozenLinear(x, weight, bias);
}

function apply(
  name: string,
  attributes: object,
  x: tf.Tensor2D,
  givenWeight: tf.Tensor2D,
  givenBias?: tf.Tensor1D,
): tf.Tensor2D {
  const weight = operandFor(x, givenWeight);
  const bias = givenBias && toFloatType(givenBias, floatTypeOf(x));
  if (hasKernel(name)) return runNamed(name, bias ? { x, weight, bias } : { x, weight }, attributes);
  const product: tf.Tensor2D = tf.matMul(x, weight, false, true);
  return bias ? tf.add(product, bias) : product;
}

tf.registerGradient({
  kernelName: 'FrozenLinear',
  inputsToSave: ['weight'],
  gradFunc: (dy, saved) => {
    const [weight] = saved as [tf.Tensor2D];
    return {
      x: () => tf.matMul(dy as tf.Tensor2D, weight),
      weight: () => {
        throw new Error('the weight of frozenLinear has no gradient');
      },
      bias: () => sumRows(dy as tf.Tensor2D),
    };
  },
});

tf.registerGradient({
  kernelName: 'Linear',
  inputsToSave: ['x', 'weight'],
  gradFunc: (dy, saved) => {
    const [x, weight] = saved as [tf.Tensor2D, tf.Tensor2D];
    const d = dy as tf.Tensor2D;
    return {
      x: () => tf.matMul(d, weight),
      weight: () => tf.matMul(d, x, true, false),
      bias: () => sumRows(d),
    };
  },
});
