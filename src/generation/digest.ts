import { createHash } from 'node:crypto';

/** A short name of a prompt, the same for equal ones and in every process. */
export function digestOf(tokens: readonly number[]): string {
  return createHash('sha256').update(Int32Array.from(tokens)).digest('base64');
}
