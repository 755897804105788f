import { OutOfMemoryError } from './errors.js';

/** Runs `f`; when the memory does not suffice, says for what it did not and what needs less. */
export function advisingOnMemory<T>(f: () => T, what: () => string, advice: () => readonly string[]): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    const cause = error.message.replace(/^out of memory: /, '');
    throw new OutOfMemoryError(`out of memory in ${what()} (${cause}); use ${advice().join(', or ')}`);
  }
}
