// `npm run base`: makes assets/base-model, the small pretrained model that `npm start` fine-tunes. It reads
// every token of tasks of all generators that fit on 5×5 grids, except those whose rules the start teaches.
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const arclab = createRequire(import.meta.url)('../dist/index.cjs');
const { fineTune, generateTasksToFile, generators, initModel, startKnobs, startGenerators } = arclab;

const steps = Number(process.argv[2] ?? 6000);
const work = join('output', 'base-model');
const target = join('assets', 'base-model');
const file = (name) => join(work, name);

// upside down is left to right in a task that is turned by 90 degrees
const taught = new Set([...startGenerators, 'flip-upside-down']);
const names = Object.values(generators)
  .filter(({ name, smallest }) => smallest <= startKnobs.maxSize && !taught.has(name))
  .map(({ name }) => name);

if (!existsSync(file('val.json'))) {
  const knobs = { ...startKnobs, generators: names };
  generateTasksToFile({ ...knobs, outputFilepath: file('train.json'), count: 20000, seed: 1 });
  generateTasksToFile({ ...knobs, outputFilepath: file('val.json'), count: 200, seed: 2 });
  initModel({ outputDir: file('init'), writeTokenizer: arclab.writeTokenizer });
}
const progress = arclab.trainingProgress();
const { checkpoint } = await fineTune({
  modelPath: file('init'),
  useLora: false,
  lossOn: 'all',
  trainDatasets: [
    [file('train.json'), 'output-from-examples-mini', 5],
    [file('train.json'), 'input-from-inputs-mini', 1],
  ],
  valDataset: [[file('val.json'), 'output-from-examples-mini']],
  gridEncoder: 'MinimalGridEncoder()',
  outputDir: file('run'),
  maxSteps: steps,
  evalSteps: 500,
  loggingSteps: 25,
  maxSeqLen: 512,
  maxTokensPerBatch: 8192,
  batchSize: 16,
  learningRate: 3e-3,
  warmupRatio: 0.03,
  lrSchedulerType: 'cosine',
  onEvent: progress.onEvent,
});
progress.stop();

await arclab.initBackend();
const decoder = await arclab.loadDecoder(checkpoint);
rmSync(target, { recursive: true, force: true });
arclab.saveModel(decoder, target, { dtype: 'bfloat16' });
decoder.dispose();
