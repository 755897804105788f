import type * as fallback from '../../fallback.js';
import { type KernelTable, OwnKernels } from '../../own-kernels.js';
import type { WasmBackend } from '../backend.js';

export type KernelCall = fallback.KernelCall<WasmBackend>;
export type KernelImplementation = fallback.KernelImplementation<WasmBackend>;
export type Kernels = KernelTable<WasmBackend>;

/** The kernels of the backend `wasm`. */
export const ownKernels = new OwnKernels<WasmBackend>('wasm', { numbersOnly: false });

export const register = ownKernels.register.bind(ownKernels);
export const runOnCpu = ownKernels.runPlain.bind(ownKernels);
