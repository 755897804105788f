/** The one module that imports tfjs's WebGPU backend: its class, which ours extends, and all of its kernels. */
import '@tensorflow/tfjs-backend-webgpu/dist/register_all_kernels';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu';
import type * as tf from '@tensorflow/tfjs-core';

/** A program of tfjs, as far as it is looked at here. */
export interface TfjsProgram {
  pipeline: GPUComputePipeline;
  dispatch: [number, number, number];
  size?: boolean;
  outputShape: number[];
  outputComponent?: number;
}

export type TfjsUniform = { type: string; data: number[] };

/** tfjs's class with what it declares private, which is what ours replaces. */
export interface TfjsBackend extends tf.KernelBackend {
  device: GPUDevice;
  queue: GPUQueue;
  tensorMap: tf.DataStorage<object>;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.backend_util.BackendValues): tf.TensorInfo;
  uploadToGPU(dataId: tf.DataId): void;
  /** Whether the host has all of these numbers, and they are few. */
  shouldExecuteOnCPU(tensors: readonly tf.TensorInfo[]): boolean;
  submitQueue(): void;
  recordAndSubmit(
    program: TfjsProgram,
    output: tf.TensorInfo,
    inputs: tf.TensorInfo[],
    own?: TfjsUniform[],
  ): void;
}

export const TfjsBackend = WebGPUBackend as unknown as new (
  device: GPUDevice,
  info: GPUAdapterInfo,
) => TfjsBackend;
