import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { fallbacks, type KernelCall, type KernelImplementation } from './register.js';

/** A tensor of the plain backend over the same elements, without a copy. */
function lend(tensor: tf.TensorInfo, from: WasmBackend, to: tf.MathBackendCPU): tf.TensorInfo {
  const data = from.data(tensor.dataId);
  if (data.complex) {
    const lent = to.makeTensorInfo(tensor.shape, 'complex64');
    to.data.get(lent.dataId).complexTensorInfos = {
      real: lend(data.complex.real, from, to),
      imag: lend(data.complex.imag, from, to),
    };
    return lent;
  }
  const values = data.strings ?? from.view(tensor);
  return to.makeTensorInfo(tensor.shape, tensor.dtype, values as tf.backend_util.BackendValues);
}

/** Copies a result of the plain backend into ours. */
function adopt(tensor: tf.TensorInfo, from: tf.MathBackendCPU, to: WasmBackend): tf.TensorInfo {
  const { shape, dtype } = tensor;
  const { complexTensorInfos } = from.data.get(tensor.dataId);
  if (complexTensorInfos) {
    const real = adopt(complexTensorInfos.real, from, to);
    return to.makeComplex(shape, real, adopt(complexTensorInfos.imag, from, to));
  }
  return to.makeTensorInfo(shape, dtype, from.readSync(tensor.dataId));
}

/**
 * Runs a kernel of tfjs's `cpu` backend on tensors of ours: its inputs are views of the shared memory, its
 * results are copied back. So the wasm backend has every kernel that tfjs has.
 */
function adapt(kernel: tf.KernelFunc, cpu: tf.MathBackendCPU): KernelImplementation {
  return ({ inputs, attrs, backend }: KernelCall) => {
    const lent: tf.TensorInfo[] = [];
    const lendOne = (tensor: tf.TensorInfo): tf.TensorInfo => {
      const copy = lend(tensor, backend, cpu);
      lent.push(copy);
      return copy;
    };
    // AddN, Concat and Pack take a list instead of names
    const cpuInputs = (Array.isArray(inputs) ? [] : {}) as Record<string, unknown>;
    for (const [name, input] of Object.entries(inputs)) {
      // some kernels take lists under one name, and optional inputs may be missing
      if (Array.isArray(input)) cpuInputs[name] = input.map(lendOne);
      else if (input != null) cpuInputs[name] = lendOne(input);
    }
    const results = kernel({
      inputs: cpuInputs as tf.NamedTensorInfoMap,
      attrs: attrs as tf.NamedAttrMap,
      backend: cpu,
    });
    const list = Array.isArray(results) ? results : [results];
    const adopted = list.map((result) => adopt(result, cpu, backend));
    for (const tensor of [...list, ...lent]) cpu.disposeData(tensor.dataId, true);
    return Array.isArray(results) ? adopted : (adopted[0] as tf.TensorInfo);
  };
}

/** Prepares every kernel of the `cpu` backend; returns their names. */
export function prepareFallbacks(): string[] {
  const cpu = new tf.MathBackendCPU();
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    fallbacks.set(kernelName, adapt(kernelFunc, cpu));
  }
  return [...fallbacks.keys()];
}
