/** PiSSA (Meng et al. 2024): an adapter starts as the principal part of its base, which is taken out of the base. */
import { toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import { allOrNothing } from './all-or-nothing.js';
import { AdapterError } from './errors.js';
import { principalFactors } from './svd.js';
import { DenseWeight, type Weight } from './weight.js';

/** What is taken out of a base: a [rank, in] and b [out, rank], with s · b · a its best approximation. */
export interface PrincipalPart {
  a: tf.Tensor2D;
  b: tf.Tensor2D;
}

const unroundable =
  'the adapter takes its start out of the base (PiSSA, OLoRA), which `weights: int8` has rounded; leave out `weights`, or use ' +
  'another `lora.initWeights`';

/** The principal part of a weight that has no adapter. */
export async function principalPart(weight: Weight, rank: number, scaling: number): Promise<PrincipalPart> {
  const [out, input] = weight.shape;
  const dense = weight.dense();
  const values = await dense.data<'float32'>();
  dense.dispose();
  const { a, b } = principalFactors(values, out, input, rank, scaling);
  return allOrNothing((own) => ({
    a: own(tf.tensor2d(a, [rank, input])),
    b: tf.tensor2d(b, [out, rank]),
  }));
}

/** W − s · b · a as a new weight, so that it and the adapter together start as the base was. */
export function withoutPart(weight: Weight, { a, b }: PrincipalPart, scaling: number): DenseWeight {
  if (!weight.takesSums) throw new AdapterError(unroundable);
  const rest = tf.tidy(() => {
    const difference = tf.sub(weight.dense(), tf.mul(tf.matMul(b, a), scaling));
    return toFloatType(difference as tf.Tensor2D, weight.floatType);
  });
  return new DenseWeight(rest, { changed: true });
}
