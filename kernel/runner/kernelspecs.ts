import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from '../../src/common/errors.js';
import { searchedFolders } from '../kernelspec/folders.js';
import { arclabSpec, type Kernelspec, tslabSpec } from '../kernelspec/spec.js';

/** How to start a kernel, as its `kernel.json` says. */
export interface KernelSpec {
  name: string;
  /** In lower case, such as `typescript`. */
  language: string;
  /** The command, with `{connection_file}` where the path of that file belongs. */
  argv: string[];
  env: Record<string, string>;
  interruptMode: 'signal' | 'message';
  /** The folder of `kernel.json`, which `{resource_dir}` stands for. */
  folder?: string;
}

/** Names of all kernels that are installed for Jupyter. */
export function listKernels(env: NodeJS.ProcessEnv = process.env): string[] {
  const names = searchedFolders(env).flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'kernel.json')))
      : [],
  );
  return [...new Set(names)].sort();
}

/** The kernel that Jupyter knows by a name. @throws {UserError} when its kernel.json is of no use */
export function findKernelSpec(name: string, env: NodeJS.ProcessEnv = process.env): KernelSpec | undefined {
  for (const parent of searchedFolders(env)) {
    if (!existsSync(parent)) continue;
    const entry = readdirSync(parent).find((entry) => entry.toLowerCase() === name.toLowerCase());
    if (entry === undefined || !existsSync(join(parent, entry, 'kernel.json'))) continue;
    return readKernelSpec(entry, join(parent, entry));
  }
  return undefined;
}

function readKernelSpec(name: string, folder: string): KernelSpec {
  const path = join(folder, 'kernel.json');
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new UserError(`${path}: cannot read the kernel ${name}: ${messageOf(error)}`);
  }
  const { argv, language = '', env = {}, interrupt_mode: mode } = file ?? {};
  if (!Array.isArray(argv) || argv.length === 0 || !argv.every((part) => typeof part === 'string')) {
    throw new UserError(`${path}: expected "argv", the command of the kernel, as a list of strings`);
  }
  const command = [...(argv as string[])];
  // `python` means the Python of the environment that the kernel belongs to
  const python = join(folder, '..', '..', '..', '..', 'bin', command[0]!);
  if (/^python[\d.]*$/.test(command[0]!) && existsSync(python)) command[0] = python;
  return {
    name,
    language: String(language).toLowerCase(),
    argv: command,
    env: env as Record<string, string>,
    interruptMode: mode === 'message' ? 'message' : 'signal',
    folder,
  };
}

/**
 * The kernel for a notebook. `arclab` is always the one of this package; `tslab` is the installed kernel or else the
 * npm package that is found from `folder`. @throws {UserError} naming the kernels that there are
 */
export function resolveKernel(name: string, folder: string): KernelSpec {
  if (name === 'arclab') {
    const { ARCLAB_KERNEL_TYPES = 'off', ARCLAB_KERNEL_HISTORY = 'off' } = process.env;
    // warnings of types come when they are ready: the outputs in the file would differ from run to run; and what a
    // person looks for in a history is what they have typed
    const env = { ARCLAB_KERNEL_TYPES, ARCLAB_KERNEL_HISTORY };
    return { ...fromPackage(name, arclabSpec(bundle())), env };
  }
  const spec = findKernelSpec(name);
  if (spec) return spec;
  if (name === 'tslab') return fromPackage(name, tslabSpec(folder));
  const known = [...new Set(['arclab', ...listKernels()])].join(', ');
  throw new UserError(`Unknown kernel "${name}". Known kernels: ${known}. --kernel chooses another one.`);
}

function fromPackage(name: string, { argv, language, interrupt_mode }: Kernelspec): KernelSpec {
  return { name, language, argv, env: {}, interruptMode: interrupt_mode };
}

/** The kernel's file in the build: beside this code when that is bundled, else in `dist` above it. */
function bundle(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const beside = join(here, 'kernel.cjs');
  return existsSync(beside) ? beside : join(here, '..', '..', 'dist', 'kernel.cjs');
}
