import { type Device, deviceName } from '../device.js';
import { fallbackKernels } from '../fallback.js';
import * as tf from '../tf.js';
import { TorchBackend } from './backend.js';
import { DeviceError } from './errors.js';
import { chooseDevice } from './gpus.js';
import { registerAttention } from './kernels/attention.js';
import { registerCachedAttention } from './kernels/cached-attention.js';
import { registerDecoder } from './kernels/decoder.js';
import { registerDropout } from './kernels/dropout.js';
import { registerElementwise } from './kernels/elementwise.js';
import { registerIndexing } from './kernels/indexing.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerMovement } from './kernels/movement.js';
import { registerReductions } from './kernels/reduce.js';
import { BACKEND_NAME, fallbacks, register } from './kernels/register.js';
import { loadTorch } from './load.js';
import { requireTorch } from './locate.js';
import type { Torch } from './torch.js';

let loaded: Torch | undefined;

/**
 * Registers the tfjs backend `torch` and its kernels, and for every other kernel that tfjs's `cpu` backend has,
 * that one on tensors brought to the host.
 * @param device where to compute; by default the first GPU, else the processor
 * @throws {TorchNotFoundError} when no libtorch of version 2.10 or later is found
 * @throws {DeviceError} when there is no such device, or this process has chosen another before
 */
export function registerTorchBackend(device?: Device): void {
  if (loaded) {
    if (device && deviceName(device) !== deviceName(loaded.device)) {
      const [asked, now] = [deviceName(device), deviceName(loaded.device)];
      throw new DeviceError(`--device ${asked}: this process computes on ${now} already`);
    }
    return;
  }
  const installation = requireTorch();
  const torch = loadTorch(installation, chooseDevice(device, installation));
  loaded = torch;
  for (const [name, kernel] of fallbackKernels<TorchBackend>()) fallbacks.set(name, kernel);
  registerMatMul();
  registerElementwise();
  registerMovement();
  registerIndexing();
  registerReductions();
  registerAttention();
  registerCachedAttention();
  registerDecoder();
  registerDropout();
  for (const [name, kernel] of fallbacks) if (!tf.getKernel(name, BACKEND_NAME)) register(name, kernel);
  tf.registerBackend(BACKEND_NAME, () => new TorchBackend(torch), 3);
}
