/** What a person is told of a kernel that has died. */
import { constants } from 'node:os';
import { fatalReportAt } from '../host/fatal-report.js';

/** How the process ended, and the last that native code wrote to its standard error. */
export interface Death {
  code: number;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** Of JavaScript's heap in the kernel, in MB. */
  heapLimitMb: number;
}

/** What Node writes when a process sends itself a deadly signal. */
const NODE_NOISE = /^Waiting for the debugger to disconnect\.\.\.\n/m;
const HEAP_EXHAUSTED = /^FATAL ERROR: .*(heap out of memory|Allocation failed)/m;

/** How a process ended, from the exit code that a shell gives it. */
export function endOf(code: number): Pick<Death, 'code' | 'signal'> {
  const found = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return { code, signal: (found?.[0] as NodeJS.Signals | undefined) ?? null };
}

/** What native code had to say before V8's report of its own failure, if there is one. */
export function ownWords(stderr: string): string {
  const at = fatalReportAt(stderr);
  return (at < 0 ? stderr : stderr.slice(0, at).trimEnd()).replace(NODE_NOISE, '');
}

/** Why it died and what to do, in one line. */
export function causeOf({ code, signal, stderr, heapLimitMb }: Death): string {
  if (HEAP_EXHAUSTED.test(stderr)) {
    const more = Math.max(4096, 2 * 2 ** Math.ceil(Math.log2(heapLimitMb)));
    return (
      `out of memory: JavaScript's heap has reached its limit of ${heapLimitMb} MB. ` +
      `For more, start Jupyter with NODE_OPTIONS=--max-old-space-size=${more} (in MB) in its environment, ` +
      'or put that into "env" of kernel.json'
    );
  }
  switch (signal) {
    case null:
      return `it ended with exit code ${code}`;
    case 'SIGKILL':
      return 'it was killed (SIGKILL), as the system does when its memory is used up';
    case 'SIGABRT':
      return 'a native library or Node gave up (SIGABRT)';
    case 'SIGSEGV':
    case 'SIGBUS':
    case 'SIGILL':
    case 'SIGFPE':
      return `a native library or Node crashed (${signal})`;
    default:
      return `it was ended by ${signal}`;
  }
}
