/**
 * A training step on the stock tfjs wasm backend and on ours, in one run: each in a process of its own, because
 * both are called `wasm`. Takes about a minute and a half, nearly all of it the stock one.
 */
import { initBackend } from '../../src/tensors/backend.js';
import { benchConfig, makeTrainingStep, randomDecoder, trainingFlops } from './decoder.js';
import { askSide } from './processes.js';
import { medianMs, row } from './report.js';
import { initStockBackend } from './stock.js';

const SAMPLES = 8;
const LENGTH = 256;

interface Measurement {
  ms: number;
  loss: number;
}

/** One side, in a process of its own. */
export async function measure(side: string): Promise<Measurement> {
  if (side === 'stock') await initStockBackend();
  else await initBackend('wasm');
  const step = makeTrainingStep(randomDecoder(), SAMPLES, LENGTH);
  let loss = 0;
  const ms = medianMs(side === 'stock' ? 3 : 15, () => {
    loss = step();
  });
  return { ms, loss };
}

export async function run(): Promise<void> {
  const flops = trainingFlops(benchConfig, SAMPLES, LENGTH);
  console.log(
    `training step: d 128, 4 layers, ${SAMPLES} × ${LENGTH} tokens, ${(flops / 1e9).toFixed(1)} GFLOP`,
  );
  const ours = askSide<Measurement>('train-step', 'ours');
  const stock = askSide<Measurement>('train-step', 'stock');
  for (const [name, { ms }] of [
    ['stock tfjs wasm', stock],
    ['arclab wasm', ours],
  ] as const) {
    row(name, `${ms.toFixed(0)} ms/step`, `${(flops / ms / 1e6).toFixed(1)} GFLOP/s`);
  }
  row('ratio', `${(stock.ms / ours.ms).toFixed(1)} ×`);
}
