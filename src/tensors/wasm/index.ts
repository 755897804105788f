import * as operations from '../ops/wasm.js';
import * as tf from '../tf.js';
import { WasmBackend } from './backend.js';
import { registerElementwise } from './kernels/elementwise.js';
import { registerIndexing } from './kernels/indexing.js';
import { registerMatMul } from './kernels/matmul.js';
import { registerMovement } from './kernels/movement.js';
import { registerReductions } from './kernels/reduce.js';
import { ownKernels } from './kernels/register.js';

/** Registers the tfjs backend `wasm` and its kernels. */
export function registerWasmBackend(): void {
  if (tf.findBackendFactory(ownKernels.backendName) !== null) return;
  ownKernels.registerBackend(
    () => new WasmBackend(),
    [registerMatMul, registerElementwise, registerMovement, registerIndexing, registerReductions],
    operations,
  );
}
