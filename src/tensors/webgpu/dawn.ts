import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '../../common/errors.js';
import { NoDeviceError } from '../errors.js';
import { findDawn, webGpuAdvice } from './locate.js';
import { loaders } from './vulkan.js';

/** The optional package `webgpu`: Dawn as a native module. */
interface Dawn {
  /** @param options such as `backend=vulkan` and `adapter=<the beginning of a name>` */
  create(options: readonly string[]): GPU;
  readonly globals: object;
}

const LOADER = loaders.linux!;

/** The loader of Vulkan, once it was looked for; undefined where there is none. */
export let vulkanLibrary: string | undefined;

/**
 * Dawn finds Vulkan by the name of its loader, which the system may lack while a driver brings one along, as chromium
 * does with its software driver: a loader that is there already is the one that is found.
 * @returns why there is no Vulkan
 */
async function loadVulkan(): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    vulkanLibrary = loaders[process.platform];
    return undefined;
  }
  const { default: koffi } = await import('koffi');
  const named = (process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES ?? '').split(delimiter);
  const besides = named.filter(Boolean).map((file) => join(dirname(file), LOADER));
  for (const file of [LOADER, ...besides.filter(existsSync)]) {
    try {
      koffi.load(file);
      vulkanLibrary = file;
      return undefined;
    } catch {
      // the next one
    }
  }
  return `no Vulkan loader was found (${LOADER})`;
}

let loaded: Promise<Dawn> | undefined;

/** Loads Dawn, once. @throws {NoDeviceError} without the package, or where it cannot be loaded */
export function loadDawn(): Promise<Dawn> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Dawn> {
  const file = findDawn();
  if (file === undefined) {
    throw new NoDeviceError(`\`backend: webgpu\`: the package webgpu is not installed; ${webGpuAdvice}`);
  }
  const absent = await loadVulkan();
  if (absent) {
    throw new NoDeviceError(
      `\`backend: webgpu\`: ${absent}; install the driver of the GPU with its Vulkan part, or use another \`backend\``,
    );
  }
  try {
    return (await import(pathToFileURL(file).href)) as Dawn;
  } catch (error) {
    throw new NoDeviceError(`\`backend: webgpu\`: ${file} cannot be loaded: ${messageOf(error)}`);
  }
}
