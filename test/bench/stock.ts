import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '../../src/tensors/tf.js';

/** Starts the wasm backend that tfjs publishes, on the same engine: what ours is compared with. */
export async function initStockBackend(): Promise<void> {
  const { setWasmPaths } = await import('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/index.js');
  const folder = dirname(
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'),
  );
  setWasmPaths(join(folder, 'dist/'));
  if (!(await tf.setBackend('wasm'))) throw new Error('the stock wasm backend did not start');
}
