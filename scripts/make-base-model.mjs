// `npm run base`: makes assets/base-model, the small pretrained model that `npm start` fine-tunes, on tasks of all
// generators that fit on 5×5 grids, except those whose rules the start teaches. First comes a short course in
// copying, where an output is its input with a few cells changed: a model that begins with all rules at once
// finds only after many thousand steps that an output cell lies a fixed distance behind its input cell.
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const arclab = createRequire(import.meta.url)('../dist/index.cjs');
const { fineTune, generateTasksToFile, generators, initModel, startKnobs, startGenerators } = arclab;

const work = join('output', 'base-model');
const target = join('assets', 'base-model');
const file = (name) => join(work, name);

// upside down is left to right in a task that is turned by 90 degrees
const taught = new Set([...startGenerators, 'flip-upside-down']);
const allowed = Object.values(generators)
  .filter(({ name, smallest }) => smallest <= startKnobs.maxSize && !taught.has(name))
  .map(({ name }) => name);
const copying = [
  'recolor-one',
  'swap-colors',
  'recolor-map',
  'remove-color',
  'keep-color',
  'recolor-border-cells',
  'mark-corners',
  'checkerboard-mask',
  'recolor-at-edge',
  'remove-largest',
];

if (!existsSync(file('init'))) {
  const make = (name, count, seed, names) =>
    generateTasksToFile({ ...startKnobs, outputFilepath: file(name), count, seed, generators: names });
  make('copying.json', 8000, 1, copying);
  make('all.json', 24000, 2, allowed);
  make('val.json', 250, 3, allowed);
  initModel({ outputDir: file('init'), writeTokenizer: arclab.writeTokenizer });
}

/** Trains all weights for some steps and returns the checkpoint; continues where it was interrupted. */
async function train(name, modelPath, options) {
  const progress = arclab.trainingProgress();
  const { checkpoint } = await fineTune({
    modelPath,
    outputDir: file(name),
    useLora: false,
    valDataset: [
      [file('val.json'), 'output-from-examples-mini'],
      [file('val.json'), 'input-from-inputs-mini'],
    ],
    gridEncoder: 'MinimalGridEncoder()',
    evalSteps: 250,
    loggingSteps: 25,
    maxSeqLen: 512,
    maxTokensPerBatch: 8192,
    batchSize: 16,
    onEvent: progress.onEvent,
    ...options,
  });
  progress.stop();
  return checkpoint;
}

const copier = await train('1-copying', file('init'), {
  trainDatasets: [[file('copying.json'), 'output-from-examples-mini']],
  maxSteps: 600,
  learningRate: 3e-3,
  warmupSteps: 50,
  lrSchedulerType: 'constant_with_warmup',
});
const base = await train('2-all', copier, {
  trainDatasets: [
    [file('all.json'), 'output-from-examples-mini', 6],
    [file('copying.json'), 'output-from-examples-mini', 1],
    [file('all.json'), 'input-from-inputs-mini', 1],
  ],
  maxSteps: Number(process.argv[2] ?? 3000),
  learningRate: 2e-3,
  warmupSteps: 50,
  lrSchedulerType: 'cosine',
});

await arclab.initBackend();
const decoder = await arclab.loadDecoder(base);
rmSync(target, { recursive: true, force: true });
arclab.saveModel(decoder, target, { dtype: 'bfloat16' });
decoder.dispose();
