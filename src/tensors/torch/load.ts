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
const Malloc = { trimThreshold: -1, topPad: -2, mmapMax: -4 } as const;

/**
 * Lets freed memory be used again. By default glibc hands every large block back to the system at once, and the next
 * operation waits for the same pages to be filled with zeros: a third of the time of reading prompts.
 */
function keepFreedMemory(): void {
  try {
    const mallopt = koffi.load('libc.so.6').func('int mallopt(int, int)');
    mallopt(Malloc.mmapMax, 0);
    mallopt(Malloc.trimThreshold, 2 ** 31 - 1);
    mallopt(Malloc.topPad, 64 << 20);
  } catch {
    // another C library: slower, and right all the same
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
  keepFreedMemory();
  try {
    const cuda = device.type === 'cuda' ? [join(libraryFolder, 'libtorch_cuda.so')] : [];
    const library = new TorchLibrary(path, ...cuda);
    const schemas = readInstalledSchemas(libraryFolder);
    return new Torch(library, { device, version, ...(gpu ? { gpu } : {}), ...(schemas ? { schemas } : {}) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const mend =
      device.type === 'cuda' ? '; reinstall that PyTorch with its nvidia packages, or use --device cpu' : '';
    throw new TorchNotFoundError(`${libraryFolder}: torch ${version} cannot be loaded: ${reason}${mend}`);
  }
}
