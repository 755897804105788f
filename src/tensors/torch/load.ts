import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import type { Device } from '../device.js';
import { TorchNotFoundError } from './errors.js';
import type { Gpu } from './gpus.js';
import { readInstalledSchemas } from './installed.js';
import { TorchLibrary } from './library.js';
import type { TorchInstallation } from './locate.js';
import { Torch } from './torch.js';

/** Parameters of glibc's `mallopt`. */
const Malloc = { maxFast: 1, trimThreshold: -1, topPad: -2, mmapThreshold: -3, mmapMax: -4 } as const;

/** Set before the process starts, it lets freed memory be used again; see {@link tuneAllocator}. */
export const fastAllocator = 'glibc.malloc.tcache_count=0';

/**
 * Keeps memory from growing. torch asks glibc for aligned blocks, and what is left over before and behind each goes to
 * small objects, which keep the block from being used for another of the same size: before glibc 2.38 a training step
 * of a 0.5B model leaves gigabytes behind that nothing can use. Where the small caches are off (which only the
 * environment can do, `GLIBC_TUNABLES`), left-overs grow together with their block again, and freed memory is used
 * again; elsewhere large blocks are handed back to the system one by one, which fills them with zeros every time.
 */
function tuneAllocator(): void {
  try {
    const mallopt = koffi.load('libc.so.6').func('int mallopt(int, int)');
    if (!process.env.GLIBC_TUNABLES?.includes(fastAllocator)) {
      mallopt(Malloc.mmapThreshold, 4 << 20);
      return;
    }
    mallopt(Malloc.maxFast, 0);
    mallopt(Malloc.mmapMax, 0);
    mallopt(Malloc.trimThreshold, 2 ** 31 - 1);
    mallopt(Malloc.topPad, 64 << 20);
  } catch {
    // another C library
  }
}

/** Loads an installed libtorch for a device. @throws {TorchNotFoundError} when the system cannot load it */
export function loadTorch(
  { libraryFolder, version }: TorchInstallation,
  { device, gpu }: { device: Device; gpu?: Gpu },
): Torch {
  const names = process.platform === 'darwin' ? ['libtorch_cpu.dylib'] : ['libtorch_cpu.so'];
  const path = names.map((name) => join(libraryFolder, name)).find((candidate) => existsSync(candidate));
  if (!path)
    throw new TorchNotFoundError(`${libraryFolder}: expected ${names.join(' or ')} of torch ${version}`);
  tuneAllocator();
  try {
    const cuda = device.type === 'cuda' ? [join(libraryFolder, 'libtorch_cuda.so')] : [];
    const library = new TorchLibrary(path, ...cuda);
    const schemas = readInstalledSchemas(libraryFolder);
    return new Torch(library, { device, version, ...(gpu ? { gpu } : {}), ...(schemas ? { schemas } : {}) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      device.type === 'cuda' ? '; reinstall that PyTorch with its nvidia packages, or use `device: cpu`' : '';
    throw new TorchNotFoundError(`${libraryFolder}: torch ${version} cannot be loaded: ${reason}${advice}`);
  }
}
