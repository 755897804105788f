import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { UserError } from '../../src/common/errors.js';
import { type Destination, kernelsFolder, searchedFolders } from './folders.js';
import type { Kernelspec } from './spec.js';

/** A kernelspec on disk that this package has installed. */
export interface InstalledKernel {
  name: string;
  folder: string;
  spec: Kernelspec;
  /** What it needs and is not there any more: its Node, its bundle. */
  missing: string[];
}

/**
 * Installs a kernelspec; it is there whole or not at all, and takes the place of one of the same name.
 * @param logos folder of the pictures that lie beside kernel.json
 * @returns its folder
 */
export function installKernelspec(
  name: string,
  spec: Kernelspec,
  destination: Destination,
  logos: string,
): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new UserError(
      `--name ${JSON.stringify(name)}: expected letters, digits, ".", "_" and "-", as Jupyter demands`,
    );
  }
  const kernels = kernelsFolder(destination);
  // Jupyter looks names up in lower case
  const folder = join(kernels, name.toLowerCase());
  const suffix = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const [fresh, old] = [`${folder}.tmp-${suffix}`, `${folder}.old-${suffix}`];
  try {
    makeFolders(fresh);
    for (const file of readdirSync(logos)) copyFileSync(join(logos, file), join(fresh, file));
    writeFileSync(join(fresh, 'kernel.json'), `${JSON.stringify(spec, undefined, 2)}\n`);
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(fresh, folder);
  } catch (error) {
    // what was there stays
    if (existsSync(old) && !existsSync(folder)) renameSync(old, folder);
    throw new UserError(
      `cannot write to ${kernels}: ${(error as Error).message}. Choose another place with --user or --prefix.`,
    );
  } finally {
    removeFolder(fresh);
    removeFolder(old);
  }
  return folder;
}

/** The kernels that this package has installed where Jupyter looks for them, and below a prefix. */
export function installedKernels(prefix?: string): InstalledKernel[] {
  const extra = prefix === undefined ? [] : [kernelsFolder({ kind: 'prefix', folder: prefix })];
  return [...new Set([...extra, ...searchedFolders()])].filter(existsSync).flatMap((kernels) =>
    readdirSync(kernels).flatMap((name) => {
      const folder = join(kernels, name);
      const spec = readSpec(join(folder, 'kernel.json'));
      if (spec?.metadata?.arclab === undefined) return [];
      const missing = spec.argv.filter((word) => isAbsolute(word) && !existsSync(word));
      return [{ name, folder, spec, missing }];
    }),
  );
}

/** Removes a kernel that this package has installed. @returns its folder */
export function uninstallKernelspec(name: string, prefix?: string): string {
  const kernels = installedKernels(prefix);
  const kernel = kernels.find((installed) => installed.name === name.toLowerCase());
  if (!kernel) {
    const known = kernels.map((installed) => installed.name).join(', ') || 'none';
    throw new UserError(`no kernel "${name}" was installed by arclab; installed are: ${known}`);
  }
  try {
    rmSync(kernel.folder, { recursive: true });
  } catch (error) {
    throw new UserError(`cannot remove ${kernel.folder}: ${(error as Error).message}`);
  }
  return kernel.folder;
}

/** What is not there, or below a file, needs no removal. */
function removeFolder(path: string): void {
  if (existsSync(path)) rmSync(path, { recursive: true });
}

/** Folder by folder: Node's recursive mkdir never returns below /proc. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  mkdirSync(path);
}

function readSpec(path: string): Kernelspec | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Kernelspec;
  } catch {
    return undefined;
  }
}
