import { NoDeviceError } from '../errors.js';
import * as operations from '../ops/webgpu.js';
import type { KernelTable } from '../own-kernels.js';
import * as tf from '../tf.js';
import { WebGpuBackend } from './backend.js';
import * as ownForms from './kernels/index.js';
import { type KernelImplementation, replaced } from './kernels/register.js';

/** Limits that are asked for as far as the adapter goes: tensors as large as it can hold, tiles as large as fit. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const;

/** Features that are asked for where the adapter has them. */
const FEATURES = ['shader-f16'] as const;

/** The lanes of a workgroup that kernels need. */
const LANES = 128;

let areKernelsRegistered = false;

/** The backend that computes now; undefined before there is one, and when its device was lost. */
export function webGpuInUse(): WebGpuBackend | undefined {
  if (!tf.engine().backendNames().includes('webgpu')) return undefined;
  const backend = tf.findBackend('webgpu') as unknown as WebGpuBackend;
  return backend.isLost ? undefined : backend;
}

/**
 * Registers the tfjs backend `webgpu` and its kernels on an adapter, wherever that came from, in the place of one that
 * was lost.
 * @param memory bytes that the adapter has in all, where that is known
 */
export async function registerOnAdapter(adapter: GPUAdapter, name: string, memory?: number): Promise<void> {
  const { limits } = adapter;
  if (limits.maxComputeInvocationsPerWorkgroup < LANES) {
    throw new NoDeviceError(
      `\`backend: webgpu\`: the adapter ${name} has workgroups of ${limits.maxComputeInvocationsPerWorkgroup} lanes, kernels need ${LANES}; use another \`device\` or \`backend\``,
    );
  }
  const device = await adapter.requestDevice({
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])),
  });
  const info = (adapter as unknown as { info: GPUAdapterInfo }).info;
  const backend = withNavigator(() => new WebGpuBackend(device, info, name, memory));
  if (!areKernelsRegistered) {
    for (const table of [...Object.values(ownForms), ...Object.values(operations)]) register(table);
  }
  areKernelsRegistered = true;
  if (tf.engine().backendNames().includes('webgpu')) tf.removeBackend('webgpu');
  tf.env().set('WEBGPU_CPU_FORWARD', true);
  tf.registerBackend('webgpu', () => backend as unknown as tf.KernelBackend, 3);
}

function register(table: KernelTable<WebGpuBackend>): void {
  for (const [kernelName, implementation] of Object.entries(table)) {
    const kernelFunc = implementation as unknown as tf.KernelFunc;
    const before = tf.getKernel(kernelName, 'webgpu');
    if (before) {
      replaced.set(kernelName, before.kernelFunc as unknown as KernelImplementation);
      tf.unregisterKernel(kernelName, 'webgpu');
    }
    tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc });
  }
}

/** tfjs's class looks for `navigator.gpu`, which Node does not have: it sees one while it is made. */
function withNavigator<T>(f: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  if ((globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu) return f();
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu: {} } });
  try {
    return f();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else delete (globalThis as { navigator?: unknown }).navigator;
  }
}
