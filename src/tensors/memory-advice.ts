import { OutOfMemoryError } from './errors.js';

/**
 * Runs `f`; when the memory does not suffice, says for what it did not and what needs less. Where `f` gives a promise,
 * that is watched: a GPU says that it was out of memory when something is read.
 */
export function advisingOnMemory<T>(f: () => T, what: () => string, advice: () => readonly string[]): T {
  const advised = (error: unknown): unknown => {
    if (!(error instanceof OutOfMemoryError) || error.isAdvised) return error;
    const cause = error.message.replace(/^out of memory: /, '');
    return new OutOfMemoryError(`out of memory in ${what()} (${cause}); use ${advice().join(', or ')}`, true);
  };
  try {
    const result = f();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw advised(error);
    }) as T;
  } catch (error) {
    throw advised(error);
  }
}
