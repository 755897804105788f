import * as tf from '../../tf.js';
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
  const { dataId, dtype, shape } = runTfjs('Prod', call) as tf.TensorInfo;
  const { axis, keepDims } = call.attrs as { axis: number[]; keepDims: boolean };
  if (!keepDims) return { dataId, shape, dtype };
  const axes = tf.util.parseAxisParam(axis, call.inputs.x!.shape);
  return { dataId, dtype, shape: call.inputs.x!.shape.map((size, i) => (axes.includes(i) ? 1 : size)) };
}

/** tfjs's kernels give one number of a vector as a vector. */
const indexOf =
  (name: string): KernelImplementation =>
  (call) => {
    const { dataId, dtype } = runTfjs(name, call) as tf.TensorInfo;
    const { shape } = call.inputs.x!;
    const [axis] = tf.util.parseAxisParam((call.attrs as { axis: number }).axis, shape);
    return { dataId, dtype, shape: shape.filter((_, i) => i !== axis) };
  };

export const kernels: Kernels = {
  All: ofBooleans(tf.min),
  Any: ofBooleans(tf.max),
  ArgMax: indexOf('ArgMax'),
  ArgMin: indexOf('ArgMin'),
  Prod: prod,
};
