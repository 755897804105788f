import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UserError } from '../../src/common/errors.js';

/** The content of a `kernel.json`. */
export interface Kernelspec {
  argv: string[];
  display_name: string;
  language: string;
  interrupt_mode: 'message' | 'signal';
  kernel_protocol_version?: string;
  /** `metadata.arclab` marks what this package has installed, and may therefore remove. */
  metadata: { arclab: { kernel: 'arclab' | 'tslab' }; debugger?: true };
}

/** This package's kernel, started by the Node that runs now. @param bundle the kernel's file in the build */
export function arclabSpec(bundle: string): Kernelspec {
  if (!existsSync(bundle)) {
    throw new UserError(`${bundle}: the kernel's bundle is missing; make it with npm run build`);
  }
  return {
    argv: [...kernelCommand(bundle), '{connection_file}'],
    display_name: 'TypeScript (arclab)',
    language: 'typescript',
    // by message, so that it reaches the thread that is never busy
    interrupt_mode: 'message',
    kernel_protocol_version: '5.4',
    // JupyterLab offers its debugger only where this says so
    metadata: { arclab: { kernel: 'arclab' }, debugger: true },
  };
}

/**
 * The program that is this package's kernel and its arguments, in front of the connection file: under a supervisor
 * that says it when the kernel dies, but on Windows, which has no shell for it.
 */
export function kernelCommand(bundle: string, platform = process.platform): string[] {
  const kernel = [process.execPath, bundle];
  return platform === 'win32' ? kernel : ['/bin/sh', join(dirname(bundle), 'kernel.sh'), ...kernel];
}

/** What is to be said of a bundle that will not stay where it is: `npx` keeps packages in a cache that is cleaned. */
export function temporaryWarning(bundle: string): string | undefined {
  if (!bundle.split(/[\\/]/).includes('_npx')) return undefined;
  return `the kernel runs from npx's cache (${bundle}) and is gone when that is cleaned; for one that stays: npm install --global arclab && arclab kernel install`;
}

/** Stock tslab as it is installed in `folder` or beside this package, for comparison. */
export function tslabSpec(folder: string): Kernelspec {
  return {
    argv: [process.execPath, findTslab(folder), 'kernel', '--config-path', '{connection_file}'],
    display_name: 'TypeScript (stock tslab)',
    language: 'typescript',
    interrupt_mode: 'signal',
    metadata: { arclab: { kernel: 'tslab' } },
  };
}

function findTslab(folder: string): string {
  for (const from of [join(folder, 'here.js'), import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve('tslab/package.json')), 'bin/tslab');
    } catch {
      // the other place is tried
    }
  }
  throw new UserError(`tslab is not installed in ${folder}; install it with npm install tslab`);
}
