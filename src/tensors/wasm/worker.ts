/** A thread of the wasm backend: the same module on the same memory, taking chunks of whatever job there is. */
import { workerData } from 'node:worker_threads';
import {
  ARGUMENTS_ADDRESS,
  CONTROL_ADDRESS,
  MAX_ARGUMENTS,
  scratchAddress,
  takeChunks,
  type WasmKernel,
  Word,
} from './threads.js';

/** How often the sequence is looked at before the thread goes to sleep: about 30 µs. */
const SPINS = 3000;

const { module, memory, kernelNames, thread } = workerData as {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  kernelNames: string[];
  thread: number;
};
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
const kernels = kernelNames.map((name) => exports[name] as WasmKernel);
const control = new Int32Array(memory.buffer, CONTROL_ADDRESS, 64);
const argumentValues = new Float64Array(memory.buffer, ARGUMENTS_ADDRESS, MAX_ARGUMENTS);
const scratch = scratchAddress(thread);

Atomics.add(control, Word.ready, 1);
let seen = 0;
for (;;) {
  let sequence = Atomics.load(control, Word.sequence);
  for (let spin = 0; spin < SPINS && sequence === seen; spin++) {
    sequence = Atomics.load(control, Word.sequence);
  }
  if (sequence === seen) {
    Atomics.add(control, Word.sleeping, 1);
    Atomics.wait(control, Word.sequence, seen);
    Atomics.sub(control, Word.sleeping, 1);
    continue;
  }
  seen = sequence;
  takeChunks(control, argumentValues, kernels, scratch);
}
