import { fallbackKernels } from '../fallback.js';
import * as tf from '../tf.js';
import { WasmBackend } from './backend.js';
import { registerAttention } from './kernels/attention.js';
import { registerDecoder } from './kernels/decoder.js';
import { registerElementwise } from './kernels/elementwise.js';
import { registerIndexing } from './kernels/indexing.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerMovement } from './kernels/movement.js';
import { registerReductions } from './kernels/reduce.js';
import { BACKEND_NAME, fallbacks, register } from './kernels/register.js';

/**
 * Registers the tfjs backend `wasm` and its kernels: those of ours, and for every other kernel that tfjs's
 * `cpu` backend has, that one on our memory.
 */
export function registerWasmBackend(): void {
  if (tf.findBackendFactory(BACKEND_NAME) !== null) return;
  for (const [name, kernel] of fallbackKernels<WasmBackend>()) fallbacks.set(name, kernel);
  registerMatMul();
  registerElementwise();
  registerMovement();
  registerIndexing();
  registerReductions();
  registerAttention();
  registerDecoder();
  for (const [name, kernel] of fallbacks) if (!tf.getKernel(name, BACKEND_NAME)) register(name, kernel);
  tf.registerBackend(BACKEND_NAME, () => new WasmBackend(), 3);
}
