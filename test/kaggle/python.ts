import { execFileSync } from 'node:child_process';
import { it } from 'vitest';
import { pythonWith } from '../prerequisites/index.js';

const interpreter = pythonWith();

/** Tests that need no more of Python than its standard library. */
export const withPython = it.skipIf(interpreter === undefined);

/** Runs a script with that Python. @returns its standard output */
export function python(script: string, options: { input?: string | Uint8Array; env?: object } = {}): Buffer {
  const env = { ...process.env, ...options.env };
  return execFileSync(interpreter!, ['-c', script], { input: options.input ?? '', env, stdio: 'pipe' });
}
