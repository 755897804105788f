// `npm run base`: makes assets/base-model, the small pretrained model that `npm start` fine-tunes, in about half an
// hour on two cores. It learns rules of 4×4 grids in two courses. The first is copying: an output is its input with
// a few cells changed. A model that begins with all rules at once finds only after many thousand steps that an output
// cell lies a fixed distance behind its input cell. None of the rules is among those that the start teaches.
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** @type {typeof import('../src/index.js')} */
const arclab = createRequire(import.meta.url)('../dist/index.cjs');
const { fineTune, generateTasksToFile, initModel, startKnobs, startGenerators } = arclab;

const work = join('output', 'base-model');
const target = join('assets', 'base-model');
/** @param {string} name */
const file = (name) => join(work, name);

const copying = [
  'recolor-one',
  'remove-color',
  'keep-color',
  'recolor-border-cells',
  'fill-between',
  'connect-edges',
];
const all = [
  ...copying,
  'swap-colors',
  'recolor-map',
  'invert',
  'fill-with-majority',
  'recolor-by-corner',
  'fill-rows-from-edge',
  'complete-mirror',
  'repeat-first-row',
  'roll',
  'transpose',
  'rotate-half',
];
const taught = startGenerators.filter((name) => all.includes(name));
if (taught.length > 0) throw new Error(`the start teaches ${taught.join(', ')}: the base must not know them`);

if (!existsSync(file('init'))) {
  /** @type {(name: string, count: number, seed: number, generators: string[]) => void} */
  const make = (name, count, seed, generators) => {
    generateTasksToFile({ ...startKnobs, outputPath: file(name), count, seed, generators });
  };
  make('copying.json', 6000, 1, copying);
  make('copying-val.json', 120, 2, copying);
  make('all.json', 16000, 3, all);
  make('all-val.json', 170, 4, all);
  initModel({ outputDir: file('init'), writeTokenizer: arclab.writeTokenizer });
}

/**
 * Trains all weights for some steps and returns the checkpoint; continues where it was interrupted.
 * @param {string} name
 * @param {string} modelPath
 * @param {Omit<import('../src/index.js').FineTuneOptions, 'modelPath' | 'outputDir'>} options
 */
async function train(name, modelPath, options) {
  const progress = arclab.showProgress();
  const { checkpoint } = await fineTune({
    modelPath,
    outputDir: file(name),
    useLora: false,
    gridEncoder: 'MinimalGridEncoder()',
    evalSteps: 250,
    loggingSteps: 25,
    maxSeqLen: 512,
    maxTokensPerBatch: 8192,
    batchSize: 16,
    backend: 'wasm',
    onEvent: progress.onEvent,
    ...options,
  });
  progress.stop();
  return checkpoint;
}

const copier = await train('1-copying', file('init'), {
  trainDatasets: [
    [file('copying.json'), 'output-from-examples-mini', 7],
    [file('copying.json'), 'input-from-inputs-mini', 1],
  ],
  valDataset: [
    [file('copying-val.json'), 'output-from-examples-mini'],
    [file('copying-val.json'), 'input-from-inputs-mini'],
  ],
  maxSteps: 500,
  learningRate: 3e-3,
  warmupSteps: 50,
  lrSchedulerType: 'constant_with_warmup',
});
const base = await train('2-all', copier, {
  trainDatasets: [
    [file('all.json'), 'output-from-examples-mini', 5],
    [file('copying.json'), 'output-from-examples-mini', 2],
    [file('all.json'), 'input-from-inputs-mini', 1],
  ],
  valDataset: [
    [file('all-val.json'), 'output-from-examples-mini'],
    [file('copying-val.json'), 'output-from-examples-mini'],
    [file('copying-val.json'), 'input-from-inputs-mini'],
  ],
  maxSteps: Number(process.argv[2] ?? 3500),
  learningRate: 2e-3,
  warmupSteps: 100,
  lrSchedulerType: 'cosine',
});

await arclab.initBackend('wasm');
const decoder = await arclab.loadDecoder(base);
rmSync(target, { recursive: true, force: true });
await arclab.saveModel(decoder, target, { dtype: 'bfloat16' });
decoder.dispose();
