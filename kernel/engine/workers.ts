/**
 * Worker threads and forked processes whose script is a TypeScript file of the project. The kernel's own file runs in
 * them and imports the script, so that it is read as a cell would read it: `tsconfig.json`, extensions that are left
 * out, enums, on every version of Node.
 */
import childProcess, { type ForkOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import workerThreads, { type WorkerOptions } from 'node:worker_threads';
import { kernelFile } from '../common/own-package.js';
import { SCRIPT_FLAG, type ScriptData, scriptFile } from '../common/script-file.js';
import { installModuleGlobal } from './kernel-global.js';
import { Modules } from './modules.js';
import { isInPackage } from './resolver.js';
import { installStackTraces } from './stack.js';
import type { Stripper } from './strip.js';

/** Lets `new Worker` and `fork` run TypeScript of the project. Once per thread, before any code of the person. */
export function installWorkers(): void {
  const { Worker } = workerThreads;
  class ScriptWorker extends Worker {
    constructor(script: string | URL, options: WorkerOptions = {}) {
      const file = options.eval || hasLoader(options.execArgv) ? undefined : typeScriptFile(script);
      if (file === undefined) super(script, options);
      else {
        const workerData: ScriptData = { arclabModule: file, workerData: options.workerData };
        super(kernelFile, { ...options, workerData });
      }
    }
  }
  Object.defineProperty(ScriptWorker, 'name', { value: 'Worker' });
  workerThreads.Worker = ScriptWorker;
  const { fork } = childProcess;
  childProcess.fork = ((script: string | URL, ...rest: unknown[]) => {
    const args = Array.isArray(rest[0]) ? (rest.shift() as string[]) : [];
    const options = rest.find((value) => typeof value === 'object' && value !== null) as
      | ForkOptions
      | undefined;
    const file = hasLoader(options?.execArgv) ? undefined : typeScriptFile(script);
    return file === undefined
      ? fork(script, args, options)
      : fork(kernelFile, [SCRIPT_FLAG, file, ...args], options);
  }) as typeof fork;
  // for `import { Worker } from 'node:worker_threads'`
  syncBuiltinESMExports();
}

/** Another way to run TypeScript, such as `--import tsx`. */
function hasLoader(flags: readonly string[] = []): boolean {
  return flags.some((flag) => /^(-r|--require|--import|--loader|--experimental-loader)\b/.test(flag));
}

/** The file that is meant, if it is TypeScript and not part of a package. */
function typeScriptFile(script: string | URL): string | undefined {
  const text = String(script);
  if (!/\.[mc]?tsx?$/.test(text.replace(/[?#].*$/, ''))) return undefined;
  const isAddress = script instanceof URL || text.startsWith('file:');
  if (isAddress && !text.startsWith('file:')) return undefined;
  const file = isAddress ? fileURLToPath(text) : resolve(text);
  return isInPackage(file) ? undefined : file;
}

/** Runs the file that this thread or process was started for. */
export function runScript(strip: Stripper): void {
  const file = scriptFile();
  if (file === undefined) throw new TypeError('there is no file to run');
  if (workerThreads.isMainThread) process.argv.splice(1, 3, file);
  else {
    process.argv[1] = file;
    const threads = workerThreads as { workerData: unknown };
    threads.workerData = (threads.workerData as ScriptData).workerData;
  }
  installStackTraces();
  installWorkers();
  const modules = new Modules({ strip, critical: (action) => action(), builtins: {} });
  installModuleGlobal(file, modules);
  void modules.import(pathToFileURL(file).href, file);
}
