/**
 * The one module that imports tfjs: its core with every gradient registered, and the plain `cpu` backend.
 * Everything else imports `tf` from here, so that a process holds exactly one engine.
 */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-cpu/dist/index';

export { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu/dist/backend_cpu';
export * from '@tensorflow/tfjs-core';
export type { TapeNode } from '@tensorflow/tfjs-core/dist/tape';

import { enableProdMode, engine, Tensor } from '@tensorflow/tfjs-core';
import { getGlobal } from '@tensorflow/tfjs-core/dist/global_util';
import { type KernelRegistry, quicken } from './engine.js';

// production mode: no banner that advertises another backend, no checks for NaN after every operation
enableProdMode();

quicken(
  engine(),
  getGlobal<KernelRegistry>('kernelRegistry', () => new Map()),
  (value): value is Tensor => value instanceof Tensor,
);
