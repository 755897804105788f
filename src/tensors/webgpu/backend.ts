import { formatBytes, formatMebibytes } from '../../common/format-bytes.js';
import { AttachedMap } from '../attached-map.js';
import { OutOfMemoryError } from '../errors.js';
import type { FloatType } from '../precision.js';
import * as tf from '../tf.js';
import { BufferPool, type DeviceBuffer, type Refusal, usage } from './buffers.js';
import { Commands } from './commands.js';
import { GpuFailedError } from './errors.js';
import { type Program, Programs } from './program.js';
import { TfjsBackend, type TfjsProgram, type TfjsUniform } from './tfjs-webgpu.js';
import { widened } from './widen.js';

/** What tfjs's class keeps of a tensor, with our own buffers. */
interface TensorData {
  dtype: tf.DataType;
  shape: number[];
  refCount: number;
  /** What a matrix is kept in, where that is not float32. */
  floatType?: FloatType;
  /** Numbers that are not on the device yet. */
  values?: tf.backend_util.BackendValues | null;
  /** Integers stay on the host as well: kernels plan with them, and reading them waits for nothing. */
  integers?: Int32Array;
  resource?: DeviceBuffer | null;
  complexTensorInfos?: { real: tf.TensorInfo; imag: tf.TensorInfo };
}

/** What tensors take on the device, in bytes, and the buffers that were made for them. */
interface WebGpuMemory {
  unreliable: boolean;
  numBytesInGPU: number;
  numBytesAllocatedInGPU: number;
  numBytesFree: number;
  numBuffers: number;
}

/** How kernels read four numbers of float16 at once: by `shader-f16`, or as two words, which gives the same. */
export type HalfForm = 'f16' | 'words';

type NumericArray = Float32Array | Int32Array | Uint8Array;

/** Values of tensors up to this many elements wait on the host until a kernel needs them. */
const HOST_SIZE = 1000;

/** Integers up to this many stay on the host. */
const KEPT_SIZE = 1 << 16;

/** Bytes that the host hands over at most before they are submitted: the driver keeps a copy until then. */
const STAGED_BYTES = 64 * 2 ** 20;

/**
 * The tensors and commands of a WebGPU device. tfjs's class runs tfjs's kernels; buffers, parameters of kernels,
 * submission and reading are ours, and nothing is read synchronously.
 */
export class WebGpuBackend extends TfjsBackend {
  readonly pool: BufferPool;
  readonly commands: Commands;
  readonly #programs: Programs;
  readonly #known = new AttachedMap<TensorData>();
  /** As shown to a person. */
  readonly deviceName: string;
  #failure: Error | undefined;
  #stagedBytes = 0;
  /** Of tfjs's pipelines: asking one for its layout is a call. */
  readonly #layouts = new Map<GPUComputePipeline, GPUBindGroupLayout>();

  readonly #totalMemory: number | undefined;
  #isLost = false;

  constructor(device: GPUDevice, info: GPUAdapterInfo, deviceName: string, totalMemory?: number) {
    super(device, info);
    // its map keeps values in a WeakMap
    (this.tensorMap as unknown as { data: AttachedMap<TensorData> }).data = this.#known;
    this.deviceName = deviceName;
    this.halfForm = device.features.has('shader-f16') ? 'f16' : undefined;
    this.#totalMemory = totalMemory;
    this.pool = new BufferPool(device, (refusal) => this.#runOut(refusal));
    this.commands = new Commands(device, this.pool);
    this.#programs = new Programs(device, this.commands);
    device.addEventListener('uncapturederror', (event) => {
      // Dawn would print it
      event.preventDefault();
      this.#fail((event as GPUUncapturedErrorEvent).error);
    });
    void device.lost.then(({ reason, message }) => {
      this.#isLost = true;
      this.#failure ??= new GpuFailedError(
        `webgpu: the device ${deviceName} was lost (${message || reason})`,
        'what was written is whole: run the same command again, or with another `backend`',
      );
    });
  }

  /** The bytes of the largest tensor that the adapter can hold. */
  get largestTensor(): number {
    return this.pool.largest;
  }

  /** Bytes that the device has in all; undefined where nothing tells. */
  get totalMemory(): number | undefined {
    return this.#totalMemory;
  }

  /**
   * Whether its tensors are of no use: the device went away, or had no memory for one of them, so that commands that
   * write others were not run.
   */
  get isLost(): boolean {
    return this.#isLost || this.#failure instanceof OutOfMemoryError;
  }

  #runOut({ bytes, what, inUse }: Refusal): void {
    this.#failure ??= new OutOfMemoryError(
      `out of memory: webgpu: ${this.deviceName} has no ${formatMebibytes(bytes)} for ${what}, with ${formatBytes(inUse)} in use`,
    );
  }

  #fail(error: GPUError): void {
    const text = error.message.trim();
    // what it follows from is told by itself
    if (/is invalid due to a previous error/.test(text)) return;
    this.#failure ??= /OutOfMemory/.test(error.constructor.name)
      ? new OutOfMemoryError(`out of memory: webgpu: ${text} (${formatBytes(this.pool.bytesInUse)} in use)`)
      : new GpuFailedError(
          `webgpu: the driver of ${this.deviceName} refused ${kernelIn(text)}: ${text.split('\n')[0]}`,
          'use another `device` or `backend`',
        );
  }

  /** @throws what the device said since the last call */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Resolves when the device has said that it has memory for every tensor. @throws what it said otherwise */
  async settled(): Promise<void> {
    await this.pool.answered();
    this.check();
  }

  #dataOf(id: tf.DataId): TensorData {
    // tfjs's map brings over what another backend has
    return this.#known.get(id) ?? (this.tensorMap.get(id) as unknown as TensorData);
  }

  /** The buffer of a tensor, which is brought to the device when it is not there yet. */
  buffer(tensor: tf.TensorInfo): DeviceBuffer {
    const data = this.#dataOf(tensor.dataId);
    return data.resource ?? this.#place(data, 'a tensor');
  }

  /** @param name what makes the tensor */
  #place(data: TensorData, name: string): DeviceBuffer {
    const { values, shape } = data;
    const size = tf.util.sizeFromShape(shape);
    // two numbers lie in a word
    const words = data.floatType ? Math.ceil(size / 2) : size;
    const buffer = this.pool.acquire(4 * words, values != null, values != null ? 'values' : name, shape);
    data.resource = buffer;
    if (values != null) {
      this.#upload(buffer, values as NumericArray, data.dtype);
      data.values = null;
      if (data.dtype === 'int32' && values.length <= KEPT_SIZE)
        data.integers = Int32Array.from(values as NumericArray);
    }
    return buffer;
  }

  #upload(buffer: DeviceBuffer, values: NumericArray, dtype: tf.DataType): void {
    if (values.length === 0) return;
    const whole = dtype === 'float32' ? Float32Array : Int32Array;
    const words = values instanceof whole ? values : whole.from(values);
    this.queue.writeBuffer(buffer.gpu, 0, words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
    this.#stagedBytes += words.byteLength;
    if (this.#stagedBytes > STAGED_BYTES) {
      this.commands.submit();
      this.queue.submit([]);
      this.#stagedBytes = 0;
    }
  }

  /** A new tensor; its elements are not initialised. */
  makeOutput(shape: number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    return this.makeTensorInfo(shape, dtype);
  }

  /** A new matrix of numbers of two bytes, which are not initialised. */
  makeNarrow(shape: number[], type: FloatType): tf.TensorInfo {
    const out = this.makeTensorInfo(shape, 'float32');
    this.#dataOf(out.dataId).floatType = type;
    return out;
  }

  /** What a tensor's numbers are kept in. */
  floatType(tensor: tf.TensorInfo): FloatType {
    return this.#dataOf(tensor.dataId).floatType ?? 'float32';
  }

  /**
   * How products with a matrix in float16 read both factors in it, where the adapter has `shader-f16`; undefined where
   * they are computed from a left factor in float32. `words` is for tests.
   */
  halfForm: HalfForm | undefined;

  /** Matrices may be kept in two bytes a number; all is computed in float32. */
  readonly computesInFloat32 = true;

  /** Runs a program of ours on tensors; see {@link Programs.run}. */
  run(
    program: Program,
    tensors: readonly tf.TensorInfo[],
    ints: readonly number[],
    floats: readonly number[],
    workgroups?: number,
  ): void {
    if (this.#failure) throw this.#failure;
    const buffers: DeviceBuffer[] = [];
    let copies: tf.TensorInfo[] | undefined;
    for (const tensor of tensors) {
      const data = this.#dataOf(tensor.dataId);
      if (data.floatType && !program.takesNarrow) {
        copies ??= [];
        buffers.push(this.buffer(this.#whole(tensor, copies)));
      } else {
        buffers.push(data.resource ?? this.#place(data, program.name));
      }
    }
    this.#programs.run(program, buffers, ints, floats, workgroups);
    if (copies) for (const { dataId } of copies) this.disposeData(dataId);
  }

  /** A tensor in float32; one that was made for it is added to those that are to be disposed of. */
  #whole(tensor: tf.TensorInfo, copies: tf.TensorInfo[]): tf.TensorInfo {
    if (!this.#dataOf(tensor.dataId).floatType) return tensor;
    const copy = widened(this, tensor);
    copies.push(copy);
    return copy;
  }

  /** Fills a tensor with zeros. */
  clear(tensor: tf.TensorInfo): void {
    this.commands.clear(this.buffer(tensor));
  }

  /** The values of a tensor where the host has them: integers that it gave, and what no kernel has needed yet. */
  hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues | undefined {
    const { values, integers } = this.#dataOf(tensor.dataId);
    return values ?? integers;
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    values: tf.backend_util.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    if (dtype === 'complex64' && values != null) {
      const { real, imag } = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
      const complexTensorInfos = {
        real: this.makeTensorInfo(shape, 'float32', real),
        imag: this.makeTensorInfo(shape, 'float32', imag),
      };
      this.tensorMap.set(dataId, { dtype, shape, values: null, refCount, complexTensorInfos } as never);
      return;
    }
    const data: TensorData = { dtype, shape, values, refCount };
    this.tensorMap.set(dataId, data as never);
    if (values == null || dtype === 'string') return;
    // whoever gave the values may change them afterwards
    if (values.length <= HOST_SIZE) data.values = values.slice() as typeof values;
    else this.#place(data, 'values');
  }

  override uploadToGPU(dataId: tf.DataId): void {
    const data = this.#dataOf(dataId);
    if (!data.resource) this.#place(data, 'a tensor');
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.tensorMap.has(dataId)) return true;
    const data = this.#dataOf(dataId);
    data.refCount = force ? 0 : data.refCount - 1;
    if (data.refCount > 0) return false;
    if (data.complexTensorInfos) {
      this.disposeData(data.complexTensorInfos.real.dataId);
      this.disposeData(data.complexTensorInfos.imag.dataId);
    }
    if (data.resource) this.pool.release(data.resource);
    data.resource = null;
    this.tensorMap.delete(dataId);
    return true;
  }

  override submitQueue(): void {
    this.commands.submit();
  }

  #layoutOf(pipeline: GPUComputePipeline): GPUBindGroupLayout {
    const known = this.#layouts.get(pipeline);
    if (known) return known;
    const layout = pipeline.getBindGroupLayout(0);
    this.#layouts.set(pipeline, layout);
    return layout;
  }

  /** tfjs's kernels: their parameters and commands go with ours. */
  override recordAndSubmit(
    program: TfjsProgram,
    output: tf.TensorInfo,
    inputs: tf.TensorInfo[],
    own: TfjsUniform[] = [],
  ): void {
    if (this.#failure) throw this.#failure;
    const uniforms: TfjsUniform[] = [
      { type: 'float32', data: [Number.NaN] },
      { type: 'float32', data: [Number.POSITIVE_INFINITY] },
    ];
    for (const { shape } of [...inputs, output]) {
      uniforms.push({ type: 'int32', data: shape }, { type: 'int32', data: tf.util.computeStrides(shape) });
    }
    if (program.size) {
      const size = tf.util.sizeFromShape(program.outputShape) / (program.outputComponent ?? 1);
      uniforms.push({ type: 'int32', data: [size] });
    }
    uniforms.push(...own);
    const copies: tf.TensorInfo[] = [];
    const resources: GPUBindingResource[] = [output, ...inputs].map((tensor) => ({
      buffer: this.buffer(this.#whole(tensor, copies)).gpu,
    }));
    resources.push(this.commands.noteBytes(uniformBytes(uniforms)));
    const group = this.device.createBindGroup({
      layout: this.#layoutOf(program.pipeline),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    this.commands.dispatch(program.pipeline, group, undefined, ...program.dispatch);
    for (const { dataId } of copies) this.disposeData(dataId);
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { integers, dtype, shape, complexTensorInfos } = this.#dataOf(dataId);
    const values = this.#dataOf(dataId).values ?? integers;
    if (complexTensorInfos) {
      const [real, imag] = [complexTensorInfos.real, complexTensorInfos.imag].map((part) =>
        this.readSync(part.dataId),
      );
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (values != null) return values;
    throw new Error(
      `webgpu: ${dtype} [${shape}] was to be read synchronously, which WebGPU cannot; await data() instead`,
    );
  }

  override async read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    const { integers, dtype, shape, resource, complexTensorInfos, floatType } = this.#dataOf(dataId);
    const values = this.#dataOf(dataId).values ?? integers;
    if (complexTensorInfos) {
      const [real, imag] = await Promise.all([
        this.read(complexTensorInfos.real.dataId),
        this.read(complexTensorInfos.imag.dataId),
      ]);
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (values != null) return values.slice() as typeof values;
    if (floatType) {
      const copy = widened(this, { dataId, dtype, shape });
      const values = this.read(copy.dataId);
      this.disposeData(copy.dataId);
      return values;
    }
    const size = tf.util.sizeFromShape(shape);
    const words =
      size === 0 || !resource ? new ArrayBuffer(4 * size) : await this.#download(resource, 4 * size);
    if (dtype === 'float32') return new Float32Array(words);
    return dtype === 'bool' ? Uint8Array.from(new Int32Array(words)) : new Int32Array(words);
  }

  async #download(buffer: DeviceBuffer, bytes: number): Promise<ArrayBuffer> {
    this.check();
    const staging = this.pool.create(bytes, usage.COPY_DST | usage.MAP_READ, 'what is read');
    this.commands.copy(buffer.gpu, staging, bytes);
    this.commands.submit();
    try {
      await staging.mapAsync(usage.MAP_READ);
      await this.settled();
      return staging.getMappedRange().slice(0);
    } catch (error) {
      // what the device said is clearer than that a buffer cannot be mapped
      await new Promise((resolve) => setTimeout(resolve, 0));
      await this.settled();
      throw error;
    } finally {
      staging.destroy();
    }
  }

  override numDataIds(): number {
    return this.tensorMap.numDataIds();
  }

  override memory(): WebGpuMemory {
    const { bytesInUse, bytesFree, count } = this.pool;
    return {
      unreliable: false,
      numBytesInGPU: bytesInUse,
      numBytesAllocatedInGPU: bytesInUse + bytesFree,
      numBytesFree: bytesFree,
      numBuffers: count,
    };
  }

  override async time(f: () => void): Promise<never> {
    const start = performance.now();
    f();
    this.commands.submit();
    await this.queue.onSubmittedWorkDone();
    return { kernelMs: performance.now() - start } as never;
  }

  override dispose(): void {
    this.device.destroy();
  }
}

/** What Dawn's message calls the kernel that it is about: the label of its shader or pipeline. */
function kernelIn(message: string): string {
  const [, label] = /\[[\w ]+ "+([^"]+)"+\]/.exec(message) ?? [];
  return label ? `the kernel ${label}` : 'a kernel';
}

/** Uniforms as WGSL lays them out: a vector of n begins at a multiple of its size, of three and more at one of 16. */
function uniformBytes(uniforms: readonly TfjsUniform[]): Uint8Array {
  let at = 0;
  let before = 0;
  let widest = 4;
  const places = uniforms.map(({ data }) => {
    const length = Math.max(1, data.length);
    const alignment = length > 2 || before > 4 ? 16 : 4 * length;
    widest = Math.max(widest, alignment);
    const place = Math.ceil(at / alignment) * alignment;
    before = length;
    at = place + 4 * length;
    return place;
  });
  const bytes = new Uint8Array(Math.ceil(at / widest) * widest);
  const view = new DataView(bytes.buffer);
  for (const [i, { type, data }] of uniforms.entries()) {
    for (const [j, value] of (data.length === 0 ? [1] : data).entries()) {
      if (type === 'float32') view.setFloat32(places[i]! + 4 * j, value, true);
      else view.setUint32(places[i]! + 4 * j, value, true);
    }
  }
  return bytes;
}
