/**
 * The one module that imports tfjs: its core with every gradient registered, and the plain `cpu` backend.
 * Everything else imports `tf` from here, so that a process holds exactly one engine.
 */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-cpu/dist/index';

export { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu/dist/backend_cpu';
export * from '@tensorflow/tfjs-core';
export type { TapeNode } from '@tensorflow/tfjs-core/dist/tape';

import {
  enableProdMode,
  engine,
  type KernelBackend,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { AttachedMap } from './attached-map.js';

// production mode: no banner that advertises another backend, no checks for NaN after every operation
enableProdMode();

/** Parts of the engine that it does not declare. */
interface Internals {
  state: { tensorInfo: AttachedMap<{ backend: KernelBackend }>; gradientDepth: number };
  clone(x: Tensor): Tensor;
  makeTensorFromTensorInfo(info: TensorInfo): Tensor;
}

const internals = engine() as unknown as Internals;

// where the engine looks up which backend a tensor belongs to, see there
internals.state.tensorInfo = new AttachedMap();

// what a kernel saves for its gradient: the engine runs a kernel for each and notes it on the tape, which only
// gradients of gradients need
const clone = internals.clone.bind(internals);
internals.clone = (x) => {
  const { tensorInfo, gradientDepth } = internals.state;
  if (gradientDepth > 1) return clone(x);
  tensorInfo.get(x.dataId)!.backend.incRef(x.dataId);
  return internals.makeTensorFromTensorInfo(x);
};
