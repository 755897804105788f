import * as tf from '../tf.js';
import { WasmBackend } from './backend.js';
import { registerAttention } from './kernels/attention.js';
import { registerDecoder } from './kernels/decoder.js';
import { registerElementwise } from './kernels/elementwise.js';
import { prepareFallbacks } from './kernels/fallback.js';
import { registerIndexing } from './kernels/indexing.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerMovement } from './kernels/movement.js';
import { registerReductions } from './kernels/reduce.js';
import { BACKEND_NAME, fallbacks, type KernelImplementation, register } from './kernels/register.js';

/**
 * Registers the tfjs backend `wasm` and its kernels: those of ours, and for every other kernel that tfjs's
 * `cpu` backend has, that one on our memory.
 */
export function registerWasmBackend(): void {
  if (tf.findBackendFactory(BACKEND_NAME) !== null) return;
  const names = prepareFallbacks();
  registerMatMul();
  registerElementwise();
  registerMovement();
  registerIndexing();
  registerReductions();
  registerAttention();
  registerDecoder();
  for (const name of names) {
    if (!tf.getKernel(name, BACKEND_NAME)) register(name, fallbacks.get(name) as KernelImplementation);
  }
  tf.registerBackend(BACKEND_NAME, () => new WasmBackend(), 3);
}
