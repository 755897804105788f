/** Sides of a comparison that run in processes of their own. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fastAllocator } from '../../src/tensors/torch/load.js';

function lastJson<T>(output: string): T {
  return JSON.parse(output.trim().split('\n').at(-1) as string) as T;
}

/** Runs a bench's `measure` in a new process. */
export function askSide<T>(bench: string, ...args: string[]): T {
  const command = [fileURLToPath(import.meta.url), '--side', bench, ...args];
  // what docs/backends.md advises for torch on the processor
  const env = { ...process.env, GLIBC_TUNABLES: fastAllocator };
  return lastJson(execFileSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 1 << 26, env }));
}

/** Runs reference.py with the Python that ARCLAB_PYTHON names. */
export function askPython<T>(...args: string[]): T {
  const python = process.env.ARCLAB_PYTHON;
  if (!python || !existsSync(python)) {
    throw new Error('ARCLAB_PYTHON: expected the path of a Python with torch, transformers and peft');
  }
  const script = join(dirname(fileURLToPath(import.meta.url)), '../test/bench/reference.py');
  return lastJson(
    execFileSync(python, [script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  );
}

/** The most memory that this process has held, in bytes. */
export function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
