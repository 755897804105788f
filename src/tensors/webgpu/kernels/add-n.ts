import type * as tf from '../../tf.js';
import { addIntegers } from './arithmetic.js';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

/** tfjs's kernel takes all tensors at once; a device binds only so many buffers, so the sums of some are added up. */
function addN(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const given = call.inputs as unknown as tf.TensorInfo[];
  if (given.length > 1 && given.every(({ dtype }) => dtype === 'int32')) return addIntegers(call);
  const most = backend.device.limits.maxStorageBuffersPerShaderStage - 1;
  const sumOf = (tensors: tf.TensorInfo[]): tf.TensorInfo => {
    if (tensors.length <= most) {
      return runTfjs('AddN', {
        ...call,
        inputs: tensors as unknown as KernelCall['inputs'],
      }) as tf.TensorInfo;
    }
    const sums: tf.TensorInfo[] = [];
    for (let i = 0; i < tensors.length; i += most) sums.push(sumOf(tensors.slice(i, i + most)));
    const total = sumOf(sums);
    for (const { dataId } of sums) backend.disposeData(dataId);
    return total;
  };
  return sumOf(given);
}

export const kernels: Kernels = { AddN: addN };
