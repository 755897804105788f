import * as tf from './tf.js';

/** What WebAssembly can address. */
const WASM_LIMIT = 2 ** 32;

/** By the name of a backend, what tells the free bytes of its device; undefined where it computes in main memory. */
const askers = new Map<string, () => number | undefined>();

/** Makes known how much memory a backend has left. */
export function addFreeMemory(backend: string, ask: () => number | undefined): void {
  askers.set(backend, ask);
}

/** Bytes that the backend in use may still take, as the driver or the operating system tells it. */
export function freeMemory(): number {
  const backend = tf.getBackend();
  const free = askers.get(backend)?.() ?? process.availableMemory();
  return backend === 'wasm' ? Math.min(free, WASM_LIMIT - tf.memory().numBytes) : free;
}
