import { totalmem } from 'node:os';
import { messageOf } from '../../common/errors.js';
import type { Device } from '../device.js';
import { NoDeviceError } from '../errors.js';
import { loadDawn, vulkanLibrary } from './dawn.js';
import { listVulkanDevices } from './vulkan.js';

/** A GPU, or a driver that computes on the processor as one would. */
export interface AdapterName {
  /** Its place in the list, as in `gpu:0`. */
  readonly index: number;
  /** `vulkan`, `metal`, `d3d12`, … */
  readonly api: string;
  readonly name: string;
  /** Which one of several GPUs of this name it is, from 0. */
  readonly twin: number;
  /** Bytes that it has in all, where that is known. */
  readonly memory?: number;
}

/** Dawn's objects of this process: a device that outlives the one it came from is freed memory. */
const instances: GPU[] = [];

/** Dawn lists what it found when it does not find what it is asked for. */
const NO_ADAPTER = 'no adapter has this name';

/** The adapters of this machine. @throws {NoDeviceError} without the package */
export async function listAdapters(): Promise<AdapterName[]> {
  const { create } = await loadDawn();
  const gpu = create([`adapter=${NO_ADAPTER}`]);
  // collected while it is asked, it would answer with nothing
  instances.push(gpu);
  try {
    await gpu.requestAdapter();
    return [];
  } catch (error) {
    return withMemory(readAdapterList(messageOf(error)));
  }
}

/** The adapters that Dawn's message names, hardware first; a GPU that several interfaces list is there once. */
export function readAdapterList(message: string): AdapterName[] {
  const found = [...message.matchAll(/backend: '([^']+)', name: '([^']+)'/g)].map(([, api, name]) => ({
    api: api!,
    name: name!,
  }));
  const apiOf = new Map<string, string>();
  const twins = new Map<string, number>();
  const listed = found.flatMap(({ api, name }) => {
    if (!apiOf.has(name)) apiOf.set(name, api);
    // the first interface that has the name tells how many GPUs of that name there are
    if (apiOf.get(name) !== api) return [];
    const twin = twins.get(name) ?? 0;
    twins.set(name, twin + 1);
    return [{ api, name, twin }];
  });
  return listed
    .sort((a, b) => Number(isSoftware(a.name)) - Number(isSoftware(b.name)))
    .map((adapter, index) => ({ index, ...adapter }));
}

/** What adapters have in all: by Vulkan's list, and on a Mac what the computer has, of which GPU and processor share all. */
async function withMemory(adapters: readonly AdapterName[]): Promise<AdapterName[]> {
  if (process.platform === 'darwin') return adapters.map((each) => ({ ...each, memory: totalmem() }));
  const devices = vulkanLibrary === undefined ? [] : await listVulkanDevices(vulkanLibrary);
  return adapters.map((adapter) => {
    const alike = devices.filter(({ name }) => name === adapter.name);
    const own = alike[adapter.twin] ?? alike[0];
    return own ? { ...adapter, memory: own.memory } : adapter;
  });
}

/** Whether an adapter computes on the processor. */
export const isSoftware = (name: string): boolean => /swiftshader|llvmpipe|lavapipe|basic render/i.test(name);

const describe = ({ index, name, api }: AdapterName): string => `gpu:${index} (${name}, ${api})`;

/**
 * The adapter that is asked for: the first when none is.
 * @throws {NoDeviceError} with those that there are
 */
export async function chooseAdapter(
  asked: Device | undefined,
): Promise<{ adapter: GPUAdapter; name: AdapterName }> {
  if (asked?.type === 'cpu') {
    throw new NoDeviceError(
      '`device: cpu`: the backend webgpu computes on GPUs alone; use `backend: wasm`, or leave the device out',
    );
  }
  const names = await listAdapters();
  if (names.length === 0) {
    throw new NoDeviceError(
      '`backend: webgpu`: no GPU adapter was found; install the driver of the GPU, or use another `backend`',
    );
  }
  const wanted = asked?.name?.toLowerCase();
  const name = wanted
    ? names.find((each) => each.name.toLowerCase().startsWith(wanted))
    : names[Math.max(0, asked?.index ?? 0)];
  if (!name) {
    const given = asked?.name ?? `gpu:${asked?.index}`;
    throw new NoDeviceError(
      `\`device: ${given}\`: no such adapter. There are: ${names.map(describe).join(', ')}`,
    );
  }
  if (name.twin > 0) {
    const first = names.find((each) => each.name === name.name)!;
    throw new NoDeviceError(
      `\`device: gpu:${name.index}\`: it has the same name as gpu:${first.index} (${name.name}), and Dawn chooses by ` +
        `names: only gpu:${first.index} can be had. Have the system list the other one first (on Linux, where Mesa's ` +
        `layer of Vulkan is installed, by DRI_PRIME=pci-<domain>_<bus>_<device>_<function>), and it is gpu:${first.index}`,
    );
  }
  const { create } = await loadDawn();
  const gpu = create([`backend=${name.api}`, `adapter=${name.name}`]);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (adapter) return { adapter, name };
  throw new NoDeviceError(
    `\`backend: webgpu\`: the adapter ${describe(name)} cannot be used; choose another \`device\` or \`backend\``,
  );
}

/** The adapters with their limits and features, a line each, for `arclab doctor`. */
export async function describeAdapters(): Promise<string[]> {
  const names = await listAdapters();
  return Promise.all(
    names.map(async (name) => {
      if (name.twin > 0) return `${describe(name)}: cannot be chosen beside the one of the same name`;
      // one that cannot be used does not hide the others
      const chosen = await chooseAdapter({ type: 'gpu', index: name.index }).catch(() => undefined);
      if (!chosen) return `${describe(name)}: cannot be used`;
      const { adapter } = chosen;
      const { maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
      const features = ['shader-f16', 'subgroups', 'timestamp-query'].filter((feature) =>
        adapter.features.has(feature),
      );
      return (
        `${describe(name)}: ${name.memory ? `${(name.memory / 2 ** 30).toFixed(1)} GiB of memory, ` : ''}tensors up to ${maxStorageBufferBindingSize / 2 ** 20} MiB, ` +
        `${maxComputeWorkgroupStorageSize / 2 ** 10} KiB of workgroup memory, ${features.join(', ') || 'no features'}`
      );
    }),
  );
}
