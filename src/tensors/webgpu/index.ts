import type { Device } from '../device.js';
import { NoDeviceError } from '../errors.js';
import { chooseAdapter } from './adapters.js';
import { registerOnAdapter } from './register.js';

export { describeAdapters } from './adapters.js';

let registered: string | undefined;

/**
 * Registers the tfjs backend `webgpu` and its kernels.
 * @param device a GPU by its place in the list of `arclab doctor`, or by the beginning of its name; by default the first
 * @throws {NoDeviceError} without the package `webgpu`, without an adapter, or when this process has chosen
 * another before
 */
export async function registerWebGpuBackend(device?: Device): Promise<void> {
  if (registered !== undefined && device === undefined) return;
  const { adapter, name } = await chooseAdapter(device);
  if (registered !== undefined) {
    if (registered === name.name) return;
    throw new NoDeviceError(
      `\`device: ${device?.name ?? `gpu:${device?.index}`}\`: this process computes on ${registered} already`,
    );
  }
  await registerOnAdapter(adapter, name.name);
  registered = name.name;
}
