import { type Device, deviceName } from '../device.js';
import { addFreeMemory } from '../free-memory.js';
import * as operations from '../ops/torch.js';
import { TorchBackend } from './backend.js';
import { DeviceError } from './errors.js';
import { chooseDevice, freeGpuMemory } from './gpus.js';
import { registerElementwise } from './kernels/elementwise.js';
import { registerIndexing } from './kernels/indexing.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerMovement } from './kernels/movement.js';
import { registerReductions } from './kernels/reduce.js';
import { ownKernels } from './kernels/register.js';
import { loadTorch } from './load.js';
import { requireTorch } from './locate.js';
import type { Torch } from './torch.js';

let loaded: Torch | undefined;

/**
 * Registers the tfjs backend `torch` and its kernels.
 * @param device where to compute; by default the first GPU, else the processor
 * @throws {TorchNotFoundError} when no libtorch of version 2.10 or later is found
 * @throws {DeviceError} when there is no such device, or this process has chosen another before
 */
export function registerTorchBackend(device?: Device): void {
  if (loaded) {
    if (device && deviceName(device) !== deviceName(loaded.device)) {
      const [asked, now] = [deviceName(device), deviceName(loaded.device)];
      throw new DeviceError(`\`device: ${asked}\`: this process computes on ${now} already`);
    }
    return;
  }
  const installation = requireTorch();
  const torch = loadTorch(installation, chooseDevice(device, installation));
  loaded = torch;
  addFreeMemory('torch', () => (torch.device.type === 'cuda' ? freeGpuMemory() : undefined));
  ownKernels.registerBackend(
    () => new TorchBackend(torch),
    [registerMatMul, registerElementwise, registerMovement, registerIndexing, registerReductions],
    operations,
  );
}
