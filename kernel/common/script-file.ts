/** How the kernel's own file is told to run a TypeScript file instead of being a kernel; see engine/workers.ts. */
import workerThreads from 'node:worker_threads';

/** In front of the file's name in the arguments of a process. */
export const SCRIPT_FLAG = '--arclab-run-module';

/** What a worker thread finds in `workerData`. */
export interface ScriptData {
  arclabModule: string;
  /** What the person's code is to find there. */
  workerData: unknown;
}

/** The file that this thread or process was started for, if it was; to be asked before anything else. */
export function scriptFile(): string | undefined {
  if (workerThreads.isMainThread) return process.argv[2] === SCRIPT_FLAG ? process.argv[3] : undefined;
  return (workerThreads.workerData as Partial<ScriptData> | null)?.arclabModule;
}
