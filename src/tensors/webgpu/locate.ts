import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from '../../common/files.js';

/** How to get what is missing. */
export const webGpuAdvice =
  "`npm install webgpu` brings Chrome's WebGPU (Dawn), which computes on the GPU by Vulkan, Metal or Direct3D";

/** The file of the optional package `webgpu`; undefined where nobody installed it. */
export function findDawn(): string | undefined {
  for (const from of [packageRoot(), process.cwd()]) {
    try {
      return createRequire(join(from, 'package.json')).resolve('webgpu');
    } catch {
      // the next folder
    }
  }
  return undefined;
}

/** Whether the package is there; which adapters there are takes loading it. */
export const webGpuIsPresent = (): boolean => findDawn() !== undefined;

/** What was found, for `arclab doctor`. */
export function describeWebGpu(): { found: string; advice?: string } {
  const file = findDawn();
  return file
    ? { found: `Dawn (${file})` }
    : { found: 'the package webgpu is not installed', advice: webGpuAdvice };
}
