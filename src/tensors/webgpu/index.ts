import type { Device } from '../device.js';
import { NoDeviceError } from '../errors.js';
import { chooseAdapter } from './adapters.js';
import { registerOnAdapter, webGpuInUse } from './register.js';

export { describeAdapters } from './adapters.js';

/**
 * Registers the tfjs backend `webgpu` and its kernels.
 * @param device a GPU by its place in the list of `arclab doctor`, or by the beginning of its name; by default the
 * first
 * @throws {NoDeviceError} without the package `webgpu`, without an adapter, or when this process has chosen
 * another before
 */
export async function registerWebGpuBackend(device?: Device): Promise<void> {
  const before = webGpuInUse();
  if (before && device === undefined) return;
  const { adapter, name } = await chooseAdapter(device);
  if (before) {
    if (before.deviceName === name.name) return;
    throw new NoDeviceError(
      `\`device: ${device?.name ?? `gpu:${device?.index}`}\`: this process computes on ${before.deviceName} already`,
    );
  }
  await registerOnAdapter(adapter, name.name, name.memory);
}
