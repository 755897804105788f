import * as tf from '../../tf.js';
import { cumsumOfIntegers, reduceIntegers } from './integer-reductions.js';
import { type KernelCall, type KernelImplementation, type Kernels, runTfjs } from './register.js';

type Reduction = (x: tf.Tensor, axis: number[], keepDims: boolean) => tf.Tensor;

/** Of booleans, by the reduction of floating-point numbers: tfjs's own kernels are no valid WGSL. */
const ofBooleans =
  (reduce: Reduction): KernelImplementation =>
  ({ inputs, attrs }) => {
    const { axis, keepDims } = attrs as { axis: number[]; keepDims: boolean };
    return tf.tidy(() =>
      tf.cast(reduce(tf.cast(inputs.x as tf.Tensor, 'float32'), axis, keepDims ?? false), 'bool'),
    );
  };

/** tfjs's kernel forgets to keep dimensions. */
function prod(call: KernelCall): tf.TensorInfo {
  if (call.inputs.x!.dtype === 'int32') return reduceIntegers('Prod', call);
  const { dataId, dtype, shape } = runTfjs('Prod', call) as tf.TensorInfo;
  const { axis, keepDims } = call.attrs as { axis: number[]; keepDims: boolean };
  if (!keepDims) return { dataId, shape, dtype };
  const axes = tf.util.parseAxisParam(axis, call.inputs.x!.shape);
  return { dataId, dtype, shape: call.inputs.x!.shape.map((size, i) => (axes.includes(i) ? 1 : size)) };
}

/** tfjs's kernels compute integers as floating-point numbers, which have 24 bits. */
const reduction =
  (name: string): KernelImplementation =>
  (call) =>
    call.inputs.x!.dtype === 'int32' ? reduceIntegers(name, call) : runTfjs(name, call);

export const kernels: Kernels = {
  All: ofBooleans(tf.min),
  Any: ofBooleans(tf.max),
  Cumsum: (call) => (call.inputs.x!.dtype === 'int32' ? cumsumOfIntegers(call) : runTfjs('Cumsum', call)),
  Max: reduction('Max'),
  Min: reduction('Min'),
  Prod: prod,
  Sum: reduction('Sum'),
};
