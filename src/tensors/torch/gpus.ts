import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { type Device, deviceName } from '../device.js';
import { DeviceError } from './errors.js';
import type { TorchInstallation } from './locate.js';

/** A GPU as NVIDIA's driver describes it. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  /** Its compute capability, such as 8.0 for an A100 or 7.5 for a T4. */
  readonly capability: number;
  /** In bytes. */
  readonly memory: number;
}

/** The GPUs of the machine, or why there is none. */
export interface GpuSearch {
  readonly gpus: readonly Gpu[];
  readonly absent?: string;
}

/** CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR. */
const CAPABILITY = [75, 76] as const;

let known: GpuSearch | undefined;

/** Asks the driver, which needs neither torch nor a CUDA toolkit. */
export function findGpus(): GpuSearch {
  known ??= search();
  return known;
}

function search(): GpuSearch {
  let driver: ReturnType<typeof koffi.load>;
  try {
    driver = koffi.load('libcuda.so.1');
  } catch {
    return { gpus: [], absent: 'no NVIDIA driver was found (libcuda.so.1)' };
  }
  try {
    const asked = (code: number, what: string): void => {
      if (code !== 0) throw new Error(`the NVIDIA driver failed in ${what} with error ${code}`);
    };
    asked(driver.func('int cuInit(unsigned int)')(0), 'cuInit');
    const count = [0];
    asked(driver.func('int cuDeviceGetCount(_Out_ int*)')(count), 'cuDeviceGetCount');
    const nameOf = driver.func('int cuDeviceGetName(_Out_ uint8_t*, int, int)');
    const memoryOf = driver.func('int cuDeviceTotalMem_v2(_Out_ uint64_t*, int)');
    const attribute = driver.func('int cuDeviceGetAttribute(_Out_ int*, int, int)');
    const gpus = Array.from({ length: count[0] as number }, (_, index): Gpu => {
      const text = Buffer.alloc(128);
      asked(nameOf(text, text.length, index), 'cuDeviceGetName');
      const memory: (number | bigint)[] = [0];
      asked(memoryOf(memory, index), 'cuDeviceTotalMem');
      const [major, minor] = CAPABILITY.map((which) => {
        const value = [0];
        asked(attribute(value, which, index), 'cuDeviceGetAttribute');
        return value[0] as number;
      }) as [number, number];
      const name = text.toString('utf8', 0, text.indexOf(0));
      return { index, name, capability: major + minor / 10, memory: Number(memory[0]) };
    });
    return gpus.length > 0 ? { gpus } : { gpus, absent: 'the NVIDIA driver sees no GPU' };
  } catch (error) {
    return { gpus: [], absent: (error as Error).message };
  }
}

/** Whether a libtorch has kernels for CUDA. */
export function hasCuda({ libraryFolder }: TorchInstallation): boolean {
  return existsSync(join(libraryFolder, 'libtorch_cuda.so'));
}

/**
 * The device to compute on: the one asked for, else the first GPU, else the processor.
 * @throws {DeviceError} when CUDA is asked for and cannot be had, with what was found instead
 */
export function chooseDevice(
  asked: Device | undefined,
  torch: TorchInstallation,
  { gpus, absent }: GpuSearch = findGpus(),
): { device: Device; gpu?: Gpu } {
  const cuda = hasCuda(torch);
  if (asked === undefined) {
    const [gpu] = cuda ? gpus : [];
    return gpu ? { device: { type: 'cuda', index: gpu.index }, gpu } : { device: { type: 'cpu', index: -1 } };
  }
  if (asked.type === 'cpu') return { device: asked };
  const flag = `\`device: ${deviceName(asked)}\``;
  const found = `torch ${torch.version} of ${torch.source} (${torch.libraryFolder})`;
  if (!cuda) {
    throw new DeviceError(
      `${flag}: ${found} is built for the processor only; install a CUDA build of PyTorch, or use \`device: cpu\``,
    );
  }
  const gpu = gpus[asked.index];
  if (gpu) return { device: asked, gpu };
  if (gpus.length === 0) throw new DeviceError(`${flag}: ${absent}; found ${found}; use \`device: cpu\``);
  const list = gpus.map(({ index, name }) => `cuda:${index} (${name})`).join(', ');
  throw new DeviceError(`${flag}: no such GPU. There are: ${list}`);
}

/** Bytes that are free on the GPU that this thread computes on; undefined before it computes on one. */
export function freeGpuMemory(): number | undefined {
  try {
    const [free, total]: (number | bigint)[][] = [[0], [0]];
    const ask = koffi.load('libcuda.so.1').func('int cuMemGetInfo_v2(_Out_ uint64_t*, _Out_ uint64_t*)');
    return ask(free, total) === 0 ? Number(free?.[0]) : undefined;
  } catch {
    return undefined;
  }
}

/** One line about a GPU. */
export function describeGpu({ name, capability, memory }: Gpu): string {
  return `${name}, ${(memory / 2 ** 30).toFixed(1)} GiB, compute capability ${capability.toFixed(1)}`;
}
