import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TorchNotFoundError } from './errors.js';
import { TorchLibrary } from './library.js';
import type { TorchInstallation } from './locate.js';
import { Torch } from './torch.js';

/** Loads an installed libtorch. @throws {TorchNotFoundError} when the system cannot load it */
export function loadTorch({ libraryFolder, version }: TorchInstallation): Torch {
  const names = process.platform === 'darwin' ? ['libtorch_cpu.dylib'] : ['libtorch_cpu.so'];
  const path = names.map((name) => join(libraryFolder, name)).find((candidate) => existsSync(candidate));
  if (!path)
    throw new TorchNotFoundError(`${libraryFolder}: expected ${names.join(' or ')} of torch ${version}`);
  try {
    return new Torch(new TorchLibrary(path));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TorchNotFoundError(`${path}: cannot be loaded: ${reason}`);
  }
}
