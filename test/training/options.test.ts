import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configDifferences, type FineTuneFileOptions, fineTuneConfig } from '../../src/training/options.js';
import { checkLossWeights, datasetLabels } from '../../src/training/training-data.js';

const options: FineTuneFileOptions = {
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

test.each<[Partial<FineTuneFileOptions>, RegExp]>([
  [{ maxSteps: 0 }, /`maxSteps`: expected an integer of at least 1, found 0/],
  [{ evalSteps: 0 }, /`evalSteps`: expected an integer of at least 1, or -1, found 0/],
  [{ learningRate: Number.NaN }, /`learningRate`/],
  [{ lora: { dropout: 1 } }, /`lora\.dropout`/],
  [{ lrSchedulerType: 'step' } as object, /`lrSchedulerType`: expected one of linear, .*, found "step"/],
  [{ lrSchedulerType: 'cyclic', warmupSteps: 3 }, /`warmupSteps`/],
  [{ trainDatasets: [] }, /`trainDatasets`/],
  [
    { trainDatasets: [['a.json', 'kind', 0]] },
    /`trainDatasets`: expected pairs .* weight above 0 .*, found \["a.json","kind",0\]/,
  ],
  [
    { lora: { initWeights: 'eva' } } as object,
    /expected one of default, gaussian, pissa, olora, found "eva"/,
  ],
  [
    { lora: { initWeights: 'olora', useDora: true } } as object,
    /`lora.useDora`: .*`lora.initWeights: olora`/,
  ],
  [
    { lora: { rankPattern: { q_proj: 1.5 } } },
    /`lora.rankPattern`: expected values by name, each an integer of at least 1, found 1.5/,
  ],
  [{ lora: { alphaPattern: { q_proj: 0 } } }, /`lora.alphaPattern`: .* each a number above 0, found 0/],
  [{ lora: { initWeights: 'pissa', useDora: true } }, /`lora\.useDora`: it cannot be combined/],
  [{ useLora: false, adapterPath: 'adapter' }, /`adapterPath`/],
  ...[
    { useDora: true },
    { modulesToSave: ['norm'] },
    { excludeModules: ['q_proj'] },
    { rankPattern: { q_proj: 2 } },
    { alphaPattern: { q_proj: 2 } },
  ].map((lora): [Partial<FineTuneFileOptions>, RegExp] => [
    { useLora: false, lora },
    new RegExp(
      `^\`lora\\.${Object.keys(lora)[0]}\`: \`useLora: false\` trains all weights and has no adapter`,
    ),
  ]),
  [{ lora: { alpha: 0 } }, /`lora\.alpha`: expected a number above 0, found 0/],
  [{ lora: { rank: 8 } } as object, /`lora\.rank`: there is no such option here; did you mean `lora\.r`\?/],
  [{ lora: 8 } as object, /`lora`: expected an object with r, alpha, .*, found 8/],
  [{ lora_r: 8 } as object, /`lora_r`: there is no such option here; did you mean `lora\.r`\?/],
  [{ loraR: 8, lora: { r: 4 } } as object, /`lora\.r`: it is given twice, once as `loraR`/],
  [{ valDataset: [['v.json', 'kind', 3]] }, /`valDataset`: .* no weight for v.json, found 3/],
  [
    { taskAugmentationWeights: { counts: [1] } },
    /`taskAugmentationWeights`: expected a list of at least 2, .* at counts, found \[1\]/,
  ],
  [{ taskAugmentationWeights: { counts: [1, 0] } }, /`taskAugmentationWeights`: .*counts beyond the first/],
  [{ taskAugmentationWeights: { sides: { input: 0, output: 0 } } }, /a positive weight in sides/],
  [
    { taskAugmentationWeights: { kinds: { shearing: 1 } } as object },
    /`taskAugmentationWeights`: expected an object with geometric, .* at kinds, found \{"shearing":1\}/,
  ],
  [{ taskAugmentationWeights: { kinds: 7 } as object }, /expected an object with .* at kinds, found 7/],
  [
    { taskAugmentationWeights: { kind: {} } as object },
    /expected an object with counts, kinds, sides, found \{"kind":\{\}\}/,
  ],
  [
    { learningrate: 1e-3 } as object,
    /`learningrate`: there is no such option here; did you mean `learningRate`\?/,
  ],
  [{ max_steps: 3 } as object, /`max_steps`: .* did you mean `maxSteps`\?/],
  [{ nonsense: 3 } as object, /`nonsense`: there is no such option here$/],
  [{ maxSteps: '3' } as object, /`maxSteps`: expected an integer of at least 1, found "3"/],
  [{ useLora: 'no' } as object, /`useLora`: expected true or false, found "no"/],
  [{ modelPath: '' }, /`modelPath`: expected a text that is not empty, found ""/],
])('%o is refused', (changes, message) => {
  expect(() => fineTuneConfig({ ...options, ...changes })).toThrow(message);
});

test('a run may be continued when only what is told, stored or how long it is differs', () => {
  const config = fineTuneConfig(options) as unknown as Record<string, unknown>;
  const changed = (changes: Partial<FineTuneFileOptions>) =>
    configDifferences(
      config,
      fineTuneConfig({ ...options, ...changes }) as unknown as Record<string, unknown>,
    );
  expect(changed({ maxSteps: 200, evalSteps: 7, loggingSteps: 1, workers: 0, verbose: true })).toEqual([]);
  expect(changed({ learningRate: 1e-3, seed: 8 })).toEqual([
    '`seed` was 7 and is 8',
    '`learningRate` was 0.0001 and is 0.001',
  ]);
  expect(changed({ warmupSteps: 9 })).toEqual(['`warmupSteps` was 5 and is 9']);
});

test('a run of an earlier version may be continued: its values are read as they are spelled today', () => {
  const now = fineTuneConfig(options) as unknown as Record<string, unknown>;
  expect(configDifferences({ ...now, lossOn: 'answer' }, now)).toEqual([]);
  expect(configDifferences({ ...now, lossOn: 'all' }, now)).toEqual([
    '`lossOn` was "all" and is "last-answer"',
  ]);
});

test('loss weights must be for a prompt kind or data set of the run', () => {
  const { trainDatasets } = options;
  checkLossWeights({ data: 2, 'output-from-examples-v0': 0 }, trainDatasets);
  expect(() => checkLossWeights({ other: 1 }, trainDatasets)).toThrow(
    '`lossWeights`: "other" is neither a prompt kind nor a data set of `trainDatasets`. Known: output-from-examples-v0, data',
  );
  expect(() => fineTuneConfig({ ...options, lossWeights: { data: -1 } })).toThrow(
    /at least 0 by name, found -1/,
  );
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
