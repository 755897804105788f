import * as tf from './tf.js';

/** What a backend must offer for kernels of tfjs's `cpu` backend to run on its tensors. */
export interface FallbackBackend {
  /** The elements on the host; they may be a view that is valid for the time of a kernel. */
  hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues;
  /** The parts of a complex tensor. */
  complexParts(tensor: tf.TensorInfo): { real: tf.TensorInfo; imag: tf.TensorInfo } | undefined;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.backend_util.BackendValues): tf.TensorInfo;
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo;
}

/** One call of a kernel, with the inputs already known to be present. */
export interface KernelCall<B> {
  inputs: Record<string, tf.TensorInfo>;
  attrs: Record<string, unknown>;
  backend: B;
}

/** A kernel of one of our backends. */
export type KernelImplementation<B> = (call: KernelCall<B>) => tf.TensorInfo | tf.TensorInfo[];

/** Whether a backend that has numbers only can take these inputs: strings and complex numbers are for the plain one. */
export function isNumeric(
  inputs: Readonly<Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined>>,
): boolean {
  // runs before every kernel: no copies
  for (const name in inputs) {
    const input = inputs[name];
    if (Array.isArray(input) ? !input.every(isNumber) : !isNumber(input)) return false;
  }
  return true;
}

const isNumber = (tensor: tf.TensorInfo | undefined): boolean =>
  tensor == null || (tensor.dtype !== 'string' && tensor.dtype !== 'complex64');

/** A tensor of the plain backend over the same elements. */
function lend(tensor: tf.TensorInfo, from: FallbackBackend, to: tf.MathBackendCPU): tf.TensorInfo {
  const complex = from.complexParts(tensor);
  if (complex) {
    const lent = to.makeTensorInfo(tensor.shape, 'complex64');
    to.data.get(lent.dataId).complexTensorInfos = {
      real: lend(complex.real, from, to),
      imag: lend(complex.imag, from, to),
    };
    return lent;
  }
  return to.makeTensorInfo(tensor.shape, tensor.dtype, from.hostValues(tensor));
}

/** Copies a result of the plain backend into ours. */
function adopt(tensor: tf.TensorInfo, from: tf.MathBackendCPU, to: FallbackBackend): tf.TensorInfo {
  const { shape, dtype } = tensor;
  const { complexTensorInfos } = from.data.get(tensor.dataId);
  if (complexTensorInfos) {
    const real = adopt(complexTensorInfos.real, from, to);
    return to.makeComplex(shape, real, adopt(complexTensorInfos.imag, from, to));
  }
  return to.makeTensorInfo(shape, dtype, from.readSync(tensor.dataId));
}

/** Runs a kernel of tfjs's `cpu` backend on another backend's tensors; its results are copied back. */
function adapt<B extends FallbackBackend>(
  kernel: tf.KernelFunc,
  cpu: tf.MathBackendCPU,
): KernelImplementation<B> {
  return ({ inputs, attrs, backend }) => {
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

/** Every kernel of the `cpu` backend, by name, for tensors of another backend. */
export function fallbackKernels<B extends FallbackBackend>(): Map<string, KernelImplementation<B>> {
  const cpu = new tf.MathBackendCPU();
  return new Map(
    tf
      .getKernelsForBackend('cpu')
      .map(({ kernelName, kernelFunc }) => [kernelName, adapt<B>(kernelFunc, cpu)]),
  );
}
