/** Matrix products: squares, and the shapes of decoders. */
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { medianMs, row } from './report.js';

type Case = [m: number, n: number, k: number, transposeA: boolean, transposeB: boolean];

const CASES: Case[] = [
  ...[256, 512, 1024].map((size): Case => [size, size, size, false, false]),
  [512, 512, 512, false, true],
  [512, 512, 512, true, false],
  // layers of the small decoder: forward, backward to the input, backward to the weight
  [2048, 384, 128, false, true],
  [2048, 128, 384, false, false],
  [384, 128, 2048, true, false],
  // Qwen2-0.5B: a packed batch, and decoding of 1 and 8 rows
  [1024, 896, 896, false, true],
  [1024, 4864, 896, false, true],
  [1, 4864, 896, false, true],
  [8, 4864, 896, false, true],
];

export async function run(): Promise<void> {
  await initBackend('wasm');
  console.log('matrix products on the wasm backend');
  for (const [m, n, k, transposeA, transposeB] of CASES) {
    const make = (shape: [number, number]): tf.Tensor2D =>
      tf.tensor2d(
        Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => ((i * 7919) % 13) - 6),
        shape,
      );
    const a = make(transposeA ? [k, m] : [m, k]);
    const b = make(transposeB ? [n, k] : [k, n]);
    const repeats = Math.max(1, Math.round(1e8 / (m * n * k)));
    const ms =
      medianMs(7, () => {
        for (let i = 0; i < repeats; i++) tf.matMul(a, b, transposeA, transposeB).dispose();
      }) / repeats;
    tf.dispose([a, b]);
    const name = `[${transposeA ? `${k},${m}]ᵀ` : `${m},${k}]`} · [${transposeB ? `${n},${k}]ᵀ` : `${k},${n}]`}`;
    row(name, `${ms.toFixed(3)} ms`, `${((2 * m * n * k) / ms / 1e6).toFixed(1)} GFLOP/s`);
  }
}
