/**
 * A training step on the stock tfjs wasm backend, on ours, and on whichever of torch and tensorflow are present, in
 * one run: each in a process of its own, because two are called `wasm`. Takes about a minute and a half, nearly all of
 * it the stock one.
 */
import { initBackend, knownBackends } from '../../src/tensors/backend.js';
import { benchConfig, makeTrainingStep, randomDecoder, trainingFlops } from './decoder.js';
import { askSide } from './processes.js';
import { medianMs, row } from './report.js';
import { initStockBackend } from './stock.js';

const SAMPLES = 8;
const LENGTH = 256;
const STOCK = 'stock';

interface Measurement {
  ms: number;
  loss: number;
}

/** One side, in a process of its own: the stock backend, or one of ours by name. */
export async function measure(side: string): Promise<Measurement> {
  if (side === STOCK) await initStockBackend();
  else await initBackend(side);
  const step = makeTrainingStep(randomDecoder(), SAMPLES, LENGTH);
  let loss = 0;
  const ms = medianMs(side === STOCK ? 3 : 15, () => {
    loss = step();
  });
  return { ms, loss };
}

export async function run(): Promise<void> {
  const flops = trainingFlops(benchConfig, SAMPLES, LENGTH);
  console.log(
    `training step: d 128, 4 layers, ${SAMPLES} × ${LENGTH} tokens, ${(flops / 1e9).toFixed(1)} GFLOP`,
  );
  const others = knownBackends().filter(({ name, isPresent }) => name !== 'cpu' && isPresent());
  const stock = askSide<Measurement>('train-step', STOCK);
  const report = (name: string, { ms }: Measurement): void =>
    row(
      name,
      `${ms.toFixed(0)} ms/step`,
      `${(flops / ms / 1e6).toFixed(1)} GFLOP/s`,
      `${(stock.ms / ms).toFixed(1)} ×`,
    );
  report('stock tfjs wasm', stock);
  for (const { name } of others) report(`arclab ${name}`, askSide<Measurement>('train-step', name));
}
