/**
 * @file What Vulkan tells of GPUs and WebGPU does not: how much memory each has. Nothing is computed with it; Dawn has
 * an instance of its own. Structures are as vulkan_core.h lays them out on machines of 64 bits.
 */

/** A GPU as Vulkan lists it. */
export interface VulkanDevice {
  readonly name: string;
  /** Bytes of its largest heap that is local to it: its own memory, or what an integrated one may take of the computer's. */
  readonly memory: number;
}

/** The name of the loader, by operating system; macOS has Metal. */
export const loaders: Readonly<Record<string, string>> = { linux: 'libvulkan.so.1', win32: 'vulkan-1.dll' };

const INSTANCE_CREATE_INFO = 1;
const SUCCESS = 0;
/** VkPhysicalDeviceProperties has 824 bytes, the name after five numbers. */
const PROPERTIES = { bytes: 1024, name: 20, nameBytes: 256 };
/** VkPhysicalDeviceMemoryProperties: 32 types of 8 bytes after their number, then the number of heaps and 16 of them. */
const MEMORY = { bytes: 520, heapCount: 260, heaps: 264, heapBytes: 16 };
const DEVICE_LOCAL = 1;

/** The GPUs that Vulkan finds, in its order; none where there is no Vulkan. @param library of the loader */
export async function listVulkanDevices(library: string): Promise<VulkanDevice[]> {
  const { default: koffi } = await import('koffi');
  try {
    const vulkan = koffi.load(library);
    const bind = (name: string, result: string, types: string[]) =>
      vulkan.func('__stdcall', name, result, types);
    const createInstance = bind('vkCreateInstance', 'int', ['void *', 'void *', 'void *']);
    const destroyInstance = bind('vkDestroyInstance', 'void', ['void *', 'void *']);
    const enumerate = bind('vkEnumeratePhysicalDevices', 'int', ['void *', 'void *', 'void *']);
    const properties = bind('vkGetPhysicalDeviceProperties', 'void', ['void *', 'void *']);
    const memory = bind('vkGetPhysicalDeviceMemoryProperties', 'void', ['void *', 'void *']);

    const info = Buffer.alloc(64);
    info.writeUInt32LE(INSTANCE_CREATE_INFO);
    const handle = Buffer.alloc(8);
    if (createInstance(info, null, handle) !== SUCCESS) return [];
    const instance = handle.readBigUInt64LE();
    try {
      const count = Buffer.alloc(4);
      if (enumerate(instance, count, null) !== SUCCESS) return [];
      const handles = Buffer.alloc(8 * count.readUInt32LE());
      if (enumerate(instance, count, handles) !== SUCCESS) return [];
      return Array.from({ length: count.readUInt32LE() }, (_, i) => {
        const device = handles.readBigUInt64LE(8 * i);
        const known = Buffer.alloc(PROPERTIES.bytes);
        properties(device, known);
        const heaps = Buffer.alloc(MEMORY.bytes);
        memory(device, heaps);
        return { name: nameIn(known), memory: largestHeap(heaps) };
      });
    } finally {
      destroyInstance(instance, null);
    }
  } catch {
    // without a loader, or with one of another kind, nothing is known
    return [];
  }
}

function nameIn(properties: Buffer): string {
  const bytes = properties.subarray(PROPERTIES.name, PROPERTIES.name + PROPERTIES.nameBytes);
  return bytes.subarray(0, bytes.indexOf(0)).toString();
}

/** In bytes, of those that are local to the device. */
function largestHeap(memory: Buffer): number {
  let largest = 0;
  for (let i = 0; i < memory.readUInt32LE(MEMORY.heapCount); i++) {
    const at = MEMORY.heaps + i * MEMORY.heapBytes;
    if (!(memory.readUInt32LE(at + 8) & DEVICE_LOCAL)) continue;
    largest = Math.max(largest, Number(memory.readBigUInt64LE(at)));
  }
  return largest;
}
