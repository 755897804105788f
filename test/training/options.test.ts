import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configDifferences, type FineTuneOptions, fineTuneConfig } from '../../src/training/options.js';
import { checkLossWeights, datasetLabels } from '../../src/training/training-data.js';

const options: FineTuneOptions = {
  modelPath: 'org/model',
  trainDatasets: [['a/data.json', 'output-from-examples-v0']],
  outputDir: 'out',
  maxSteps: 100,
};

test('defaults that depend on other options', () => {
  expect(fineTuneConfig({ ...options, evalSteps: 25, maxSeqLen: 2048 })).toMatchObject({
    modelPath: 'org/model',
    outputDir: resolve('out'),
    saveSteps: 25,
    maxTokensPerBatch: 2048,
    warmupSteps: 5,
    lrNumCycles: 1,
  });
  expect(fineTuneConfig({ ...options, lrSchedulerType: 'cyclic' })).toMatchObject({
    warmupSteps: 0,
    lrNumCycles: 4,
  });
});

test.each<[Partial<FineTuneOptions>, RegExp]>([
  [{ maxSteps: 0 }, /--max_steps: expected an integer of at least 1, found 0/],
  [{ evalSteps: 0 }, /--eval_steps: expected an integer of at least 1, or -1, found 0/],
  [{ learningRate: Number.NaN }, /--learning_rate/],
  [{ loraDropout: 1 }, /--lora_dropout/],
  [{ lrSchedulerType: 'step' }, /unknown schedule "step"/],
  [{ lrSchedulerType: 'cyclic', warmupSteps: 3 }, /--warmup_steps/],
  [{ trainDatasets: [] }, /--train_datasets/],
  [{ trainDatasets: [['a.json', 'kind', 0]] }, /positive weight for a.json/],
  [{ loraWeightInitialization: 'olora' }, /"olora"\. Known: default, gaussian, pissa/],
  [{ loraWeightInitialization: 'pissa', useDora: true }, /--use_dora/],
  [{ useLora: false, adapterPath: 'adapter' }, /--adapter_path/],
  [{ loraAlpha: 0 }, /--lora_alpha: expected a number above 0, found 0/],
  [{ valDataset: [['v.json', 'kind', 3]] }, /--val_dataset: .* no weight for v.json, found 3/],
  [{ taskAugmentationWeights: { counts: [1] } }, /--task_augmentation_weights: .*at \/counts: .*2 items/],
  [{ taskAugmentationWeights: { counts: [1, 0] } }, /--task_augmentation_weights: .*counts beyond the first/],
  [{ taskAugmentationWeights: { sides: { input: 0, output: 0 } } }, /a positive weight in sides/],
  [
    { taskAugmentationWeights: { kinds: { shearing: 1 } } as object },
    /--task_augmentation_weights: .*at \/kinds: must not have the property "shearing"/,
  ],
  [{ taskAugmentationWeights: { kinds: 7 } as object }, /at \/kinds: must be object, found 7/],
  [{ taskAugmentationWeights: { kind: {} } as object }, /must not have the property "kind"/],
])('%o is refused', (changes, message) => {
  expect(() => fineTuneConfig({ ...options, ...changes })).toThrow(message);
});

test('a run may be continued when only what is told, stored or how long it is differs', () => {
  const config = fineTuneConfig(options) as unknown as Record<string, unknown>;
  const changed = (changes: Partial<FineTuneOptions>) =>
    configDifferences(
      config,
      fineTuneConfig({ ...options, ...changes }) as unknown as Record<string, unknown>,
    );
  expect(changed({ maxSteps: 200, evalSteps: 7, loggingSteps: 1, workers: 0, verbose: true })).toEqual([]);
  expect(changed({ learningRate: 1e-3, seed: 8 })).toEqual([
    '--seed was 7 and is 8',
    '--learning_rate was 0.0001 and is 0.001',
  ]);
  expect(changed({ warmupSteps: 9 })).toEqual(['--warmup_steps was 5 and is 9']);
});

test('loss weights must be for a prompt kind or data set of the run', () => {
  const { trainDatasets } = options;
  checkLossWeights({ data: 2, 'output-from-examples-v0': 0 }, trainDatasets);
  expect(() => checkLossWeights({ other: 1 }, trainDatasets)).toThrow(
    '--loss_weights: "other" is neither a prompt kind nor a data set of --train_datasets. Known: output-from-examples-v0, data',
  );
  expect(() => checkLossWeights({ data: -1 }, trainDatasets)).toThrow(/at least 0, found -1/);
});

test('data sets are labelled by file name, and by path where names collide', () => {
  expect(
    datasetLabels([
      ['a/x.json', 'k'],
      ['b/x.json', 'k'],
      ['b/y.json', 'k'],
      ['b/y.json', 'l'],
    ]),
  ).toEqual(['a/x.json', 'b/x.json', 'y', 'y']);
});
