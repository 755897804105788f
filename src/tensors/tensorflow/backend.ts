import { messageOf } from '../../common/errors.js';
import { CountedBackend } from '../counted-backend.js';
import { OutOfMemoryError } from '../errors.js';
import * as tf from '../tf.js';
import type { AddonTensor, Attribute, Binding, NumericArray } from './binding.js';
import { TensorFlowError } from './errors.js';

/** What TensorFlow keeps of one tensor: the addon's number for it. */
interface Numbers {
  id: number;
}

/** An activation that is fused with a product, by tfjs' name for it. */
const activations: Record<string, (x: tf.Tensor, weights?: tf.Tensor, alpha?: number) => tf.Tensor> = {
  linear: (x) => x,
  relu: tf.relu,
  relu6: tf.relu6,
  elu: tf.elu,
  sigmoid: tf.sigmoid,
  prelu: (x, weights) => tf.prelu(x, weights as tf.Tensor),
  leakyrelu: (x, _, alpha) => tf.leakyRelu(x, alpha),
};

/**
 * A tfjs backend whose tensors are TensorFlow's. It offers what the kernels of tfjs-node call on theirs, and brings
 * strings and complex numbers to the host as our other backends do.
 */
export class TensorFlowBackend extends CountedBackend<Numbers> {
  readonly binding: Binding;
  /** Kernels of tfjs-node ask whether theirs is the package for GPUs, to choose layouts of convolutions. */
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  /** Frees tensors that were dropped without being disposed of. */
  readonly #net: FinalizationRegistry<number>;

  constructor(binding: Binding) {
    super();
    this.binding = binding;
    this.isUsingGpuDevice = binding.isUsingGpuDevice();
    this.isGPUPackage = this.isUsingGpuDevice;
    this.#net = new FinalizationRegistry((id) => binding.deleteTensor(id));
  }

  /** TensorFlow's number for a type of tfjs. */
  getDTypeInteger(dtype: tf.DataType): number {
    if (dtype === 'float32') return this.binding.TF_FLOAT;
    if (dtype === 'int32') return this.binding.TF_INT32;
    if (dtype === 'bool') return this.binding.TF_BOOL;
    throw new Error(`tensorflow backend: no operation takes a tensor of ${dtype}`);
  }

  #typeOf(dtype: number): tf.DataType {
    if (dtype === this.binding.TF_FLOAT) return 'float32';
    if (dtype === this.binding.TF_INT32) return 'int32';
    if (dtype === this.binding.TF_BOOL) return 'bool';
    throw new Error(`tensorflow backend: a result of type ${dtype}, which tfjs does not have`);
  }

  createReductionOpAttrs(x: tf.TensorInfo, keepDims = false): Attribute[] {
    return [this.flag('keep_dims', keepDims), this.type('T', x.dtype), this.type('Tidx', 'int32')];
  }

  /** An attribute that is true or false. */
  flag(name: string, value: boolean): Attribute {
    return { name, type: this.binding.TF_ATTR_BOOL, value };
  }

  /** An attribute that names a type. */
  type(name: string, dtype: tf.DataType): Attribute {
    return { name, type: this.binding.TF_ATTR_TYPE, value: this.getDTypeInteger(dtype) };
  }

  applyActivation(x: tf.Tensor, name: string, weights?: tf.Tensor, alpha?: number): tf.Tensor {
    const activation = activations[name ?? 'linear'];
    if (!activation) throw new Error(`tensorflow backend: unknown activation ${name}`);
    return activation(x, weights, alpha);
  }

  executeSingleInput(name: string, x: tf.TensorInfo): tf.Tensor {
    return this.executeSingleOutput(name, [this.type('T', x.dtype)], [x]);
  }

  executeSingleOutput(name: string, attributes: Attribute[], inputs: tf.TensorInfo[]): tf.Tensor {
    return this.executeMultipleOutputs(name, attributes, inputs, 1)[0] as tf.Tensor;
  }

  /** Runs an operation of TensorFlow. @throws {TensorFlowError} with its name and what TensorFlow says */
  executeMultipleOutputs(
    name: string,
    attributes: Attribute[],
    inputs: tf.TensorInfo[],
    count: number,
  ): tf.Tensor[] {
    const ids = inputs.map((tensor) => this.numbers(tensor).id);
    return this.#execute(name, attributes, ids, count).map((output) => {
      const { id, shape, dtype } = this.#narrow(output);
      const type = this.#typeOf(dtype);
      // kernels of tfjs-node go on with their results as tensors
      return tf.engine().makeTensorFromTensorInfo(this.hold(this.#claim(id), shape, type));
    });
  }

  #execute(name: string, attributes: Attribute[], ids: number[], count: number): AddonTensor[] {
    try {
      return this.binding.executeOp(name, attributes, ids, count);
    } catch (error) {
      const message = /^Invalid TF_Status: (\d+)\s*Message: (.*)/s.exec(messageOf(error));
      const text = (message?.[2] ?? messageOf(error)).trim();
      if (message?.[1] === '8') {
        throw new OutOfMemoryError(`tensorflow: ${name}: ${text}; a smaller batch or length needs less`);
      }
      throw new TensorFlowError(name, text);
    }
  }

  /** Integers of 64 bits, which some operations give whatever they are asked for, as tfjs' own. */
  #narrow(output: AddonTensor): AddonTensor {
    if (output.dtype !== this.binding.TF_INT64) return output;
    const { TF_INT64, TF_INT32, TF_ATTR_TYPE } = this.binding;
    const attributes = [
      { name: 'SrcT', type: TF_ATTR_TYPE, value: TF_INT64 },
      { name: 'DstT', type: TF_ATTR_TYPE, value: TF_INT32 },
      this.flag('Truncate', false),
    ];
    const [narrow] = this.#execute('Cast', attributes, [output.id], 1);
    this.binding.deleteTensor(output.id);
    return narrow as AddonTensor;
  }

  #claim(id: number): Numbers {
    const numbers = { id };
    this.#net.register(numbers, id, numbers);
    return numbers;
  }

  protected override upload(
    values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
  ): Numbers {
    const source = values ?? tf.util.sizeFromShape(shape);
    // a copy, because the addon goes on to use the array that it is given
    const copy: NumericArray =
      dtype === 'float32'
        ? new Float32Array(source as Float32Array)
        : dtype === 'bool'
          ? new Uint8Array(source as Uint8Array)
          : new Int32Array(source as Int32Array);
    return this.#claim(this.binding.createTensor(shape, this.getDTypeInteger(dtype), copy));
  }

  protected override download({ id }: Numbers): tf.backend_util.BackendValues {
    return this.binding.tensorDataSync(id) as NumericArray;
  }

  protected override free(numbers: Numbers): void {
    this.#net.unregister(numbers);
    this.binding.deleteTensor(numbers.id);
  }

  override memory(): { unreliable: boolean; liveHandles: number } {
    return { unreliable: true, liveHandles: this.binding.getNumOfTensors() };
  }
}
