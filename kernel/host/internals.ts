/**
 * Node's inner modules, which signals in a worker and interrupts of asynchronous code need. There is no public
 * interface to them. Up to Node 22 `process.binding` hands them out, later only `--expose-internals` does.
 */
import { createRequire } from 'node:module';

/** What a process of Node needs to have them from its start. */
export const INTERNALS_FLAG = '--expose-internals';

/** Calls something of Node's that works and warns: the user need not see that warning. */
export function withoutWarnings<T>(call: () => T): T {
  const { noDeprecation, emitWarning } = process;
  process.noDeprecation = true;
  process.emitWarning = () => {};
  try {
    return call();
  } finally {
    process.emitWarning = emitWarning;
    process.noDeprecation = noDeprecation === true;
  }
}

/** One of Node's inner modules; undefined where there is none. */
export function internalBinding(name: string): unknown {
  return withoutWarnings(() => publicBinding(name) ?? testBinding(name));
}

function publicBinding(name: string): unknown {
  try {
    return (process as unknown as { binding(name: string): unknown }).binding(name);
  } catch {
    return undefined;
  }
}

function testBinding(name: string): unknown {
  try {
    const { internalBinding } = createRequire(__filename)('internal/test/binding');
    return internalBinding(name);
  } catch {
    return undefined;
  }
}

/**
 * Makes the inner modules available, if they are not, by starting this program again with the flag in the very same
 * process: its id, its three streams and its environment stay. To be called before anything else in the main thread.
 */
export function exposeInternals(): void {
  const { execArgv, execPath, argv, env } = process;
  const { execve } = process as { execve?: (file: string, args: string[], env: NodeJS.ProcessEnv) => never };
  if (execArgv.includes(INTERNALS_FLAG)) {
    // processes that cells fork start without the flag
    process.execArgv = execArgv.filter((flag) => flag !== INTERNALS_FLAG);
  } else if (execve !== undefined && internalBinding('async_wrap') === undefined) {
    execve(execPath, [execPath, INTERNALS_FLAG, ...execArgv, ...argv.slice(1)], env);
  }
}
