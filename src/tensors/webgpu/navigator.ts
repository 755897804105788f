import { NoDeviceError } from '../errors.js';
import * as tf from '../tf.js';
import { registerOnAdapter } from './register.js';

/** Which of several GPUs a page gets; the browser may choose another. */
export interface WebGpuOptions {
  powerPreference?: 'low-power' | 'high-performance';
}

/**
 * Makes tensors compute on the GPU that the browser gives the page. A device that was lost is replaced by calling this
 * again; tensors that it held are gone.
 * @returns the adapter's name
 * @throws {NoDeviceError} in a browser without WebGPU, and where it has no adapter
 */
export async function initWebGpu(options: WebGpuOptions = {}): Promise<string> {
  const { gpu } = (globalThis as { navigator?: { gpu?: GPU } }).navigator ?? {};
  if (!gpu) {
    throw new NoDeviceError(
      'this browser has no WebGPU, or the page does not come from https or localhost, for which alone it is there',
    );
  }
  const adapter = await gpu.requestAdapter(options);
  if (!adapter) throw new NoDeviceError('the browser has WebGPU, but no adapter that this page may use');
  const { description, device, architecture, vendor } = (adapter as unknown as { info: GPUAdapterInfo }).info;
  const name = description || device || [vendor, architecture].filter(Boolean).join(' ') || 'GPU';
  await registerOnAdapter(adapter, name);
  await tf.setBackend('webgpu');
  return name;
}
