import { UserError } from '../common/errors.js';
import { type Device, type GpuKind, parseDevice } from './device.js';
import { UnknownBackendError } from './errors.js';
import { describeTensorFlow, tensorFlowIsPresent } from './tensorflow/locate.js';
import * as tf from './tf.js';
import { describeTorch, torchIsPresent } from './torch/locate.js';
import { registerWasmBackend } from './wasm/index.js';
import { describeWebGpu, webGpuIsPresent } from './webgpu/locate.js';

/** A way to run tensors. */
export interface BackendEntry {
  name: string;
  /** One line for `arclab doctor`. */
  description: string;
  /** The best present one is the one with the highest number. */
  priority: number;
  /** Whether it can be used on this machine. */
  isPresent(): boolean;
  /** What was found on this machine, and why it cannot be used or what to do, when there is more to say. */
  inspect?(): { found: string; advice?: string };
  /** The GPUs that it can compute on, a line each. @throws {NoDeviceError} when there is none */
  describeDevices?(): Promise<string[]>;
  /** Makes the tfjs backend of that name known to tfjs. */
  register(device?: Device): void | Promise<void>;
  /** What it calls the GPUs that it computes on. */
  takesDevice?: GpuKind;
}

const entries = new Map<string, BackendEntry>();

/** Adds a backend to those that {@link initBackend} knows. */
export function addBackend(entry: BackendEntry): void {
  entries.set(entry.name, entry);
}

addBackend({
  name: 'cpu',
  description: "tfjs's plain JavaScript backend: slow, for comparison",
  priority: 0,
  isPresent: () => true,
  register: () => {},
});
addBackend({
  name: 'wasm',
  description: 'WebAssembly with SIMD and threads: the embedded default',
  priority: 10,
  isPresent: () => typeof SharedArrayBuffer !== 'undefined',
  register: registerWasmBackend,
});
addBackend({
  name: 'tensorflow',
  description: "the TensorFlow of the machine's Python, or @tensorflow/tfjs-node",
  priority: 5,
  isPresent: tensorFlowIsPresent,
  inspect: describeTensorFlow,
  // loads native code, which other backends do not need
  register: async () => (await import('./tensorflow/index.js')).registerTensorFlowBackend(),
});
addBackend({
  name: 'torch',
  description: 'an installed PyTorch, called directly: CPU and CUDA',
  priority: 20,
  isPresent: torchIsPresent,
  inspect: describeTorch,
  takesDevice: 'cuda',
  register: async (device) => (await import('./torch/index.js')).registerTorchBackend(device),
});
addBackend({
  name: 'webgpu',
  description: "Chrome's WebGPU in the package webgpu: GPUs of any maker by Vulkan, Metal or Direct3D",
  // never chosen by itself: its adapter may be a driver that computes on the processor
  priority: 1,
  isPresent: webGpuIsPresent,
  inspect: describeWebGpu,
  takesDevice: 'gpu',
  describeDevices: async () => (await import('./webgpu/index.js')).describeAdapters(),
  register: async (device) => (await import('./webgpu/index.js')).registerWebGpuBackend(device),
});

/** All known backends, best first. */
export function knownBackends(): BackendEntry[] {
  return [...entries.values()].sort((a, b) => b.priority - a.priority);
}

/**
 * Chooses and starts a backend: the given name, else ARCLAB_BACKEND, else the best one present.
 * @param device `cpu`, `cuda` or `cuda:N`, on webgpu `gpu:N` or the beginning of a name; by default the first GPU that
 * the backend can use
 * @returns its name
 * @throws {UnknownBackendError} with the known names
 * @throws {UserError} when the device cannot be had
 */
export async function initBackend(name?: string, { device }: { device?: string } = {}): Promise<string> {
  const source = name ? '`backend`' : 'ARCLAB_BACKEND';
  const chosen = name || process.env.ARCLAB_BACKEND;
  const known = knownBackends();
  const entry = chosen ? entries.get(chosen) : known.find((candidate) => candidate.isPresent());
  if (!entry) {
    throw new UnknownBackendError(
      chosen ?? '',
      known.map((candidate) => candidate.name),
      source,
    );
  }
  const where = device === undefined ? undefined : parseDevice(device, entry.takesDevice);
  if (where && where.type !== 'cpu' && !entry.takesDevice) {
    const advice = 'choose `backend: torch`, or `device: cpu`';
    throw new UserError(`\`device: ${device}\`: the backend ${entry.name} has no GPUs; ${advice}`);
  }
  await entry.register(where);
  await tf.setBackend(entry.name);
  return entry.name;
}
