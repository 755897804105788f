import type * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { GRAIN } from './elementwise.js';

/** The addresses of tensors. */
export function pointersOf(backend: WasmBackend, ...tensors: tf.TensorInfo[]): number[] {
  return tensors.map((tensor) => backend.pointer(tensor));
}

/** Runs a kernel over rows of a width, enough of them at a time. */
export function runRows(
  backend: WasmBackend,
  name: string,
  args: readonly number[],
  rows: number,
  width: number,
): void {
  backend.runtime.run(backend.runtime.kernel(name), args, rows, Math.max(1, Math.ceil(GRAIN / 2 / width)));
}
