// %% [markdown]
// # A model held open
//
// Loads the small model of this package once, predicts, fine-tunes an adapter in memory and predicts again: which
// answers does a short training change? `npx arclab run examples/session.ts` runs it in half a minute.

// %%
import {
  answersOf,
  baseModelFolder,
  computeMetrics,
  generateTasks,
  openModel,
  showProgress,
  showTable,
  startGenerators,
  startKnobs,
  voteMetrics,
} from 'arclab';

const make = (count: number, seed: number) =>
  generateTasks({ ...startKnobs, generators: startGenerators, count, seed });
const [train, val] = [make(400, 1), make(16, 2)];

// %% tags=["parameters"]
const steps = 40;

// %%
const kind = 'output-from-examples-mini';
const model = await openModel({ modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()' });

/** What the model knows now: metrics of four predictions for each test input. */
async function measure() {
  const { predictions } = await model.infer(val, {
    promptVersion: kind,
    predictionsPerTask: 4,
    batchSize: 32,
    maxNewTokens: 80,
  });
  return { ...computeMetrics(answersOf(predictions), val).overall, ...voteMetrics(predictions, val) };
}
const before = await measure();

// %%
const { onEvent, stop } = showProgress();
await model.fineTune({
  trainDatasets: [[train, kind]],
  maxSteps: steps,
  batchSize: 16,
  maxSeqLen: 512,
  learningRate: 2e-3,
  lora: { r: 16, alpha: 32 },
  onEvent,
});
stop();

// %%
const after = await measure();
await model.useAdapter(null);
const again = await measure();
model.dispose();
showTable([
  { model: 'base', ...before },
  { model: `after ${steps} steps`, ...after },
  { model: 'without the adapter', ...again },
]);
