/** What `submit --plan` says: speeds of machines, and what fits into a time. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DecoderConfig } from '../../src/models/index.js';
import { forecastRows, forecastSubmission } from '../../src/submit/forecast.js';
import { memoryOn, modelSize, parseMachine, processors, speedsOn } from '../../src/submit/machines.js';
import { submitConfig } from '../../src/submit/options.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

/** The shape of Qwen2.5-0.5B: 494,032,768 weights by its card, 136,134,656 of them embeddings. */
const half: DecoderConfig = {
  modelType: 'qwen2',
  ...{ vocabSize: 151_936, hiddenSize: 896, intermediateSize: 4864, numHiddenLayers: 24 },
  ...{ numAttentionHeads: 14, numKeyValueHeads: 2, headDim: 64, rmsNormEpsilon: 1e-6, ropeTheta: 1e6 },
  ...{ maxPositionEmbeddings: 32_768, tieWordEmbeddings: true },
  ...{ attentionInputBias: true, attentionOutputBias: false, mlpBias: false },
};

test('machines are a kind of device and how many there are', () => {
  expect(parseMachine('T4x2')).toMatchObject({ processor: processors.T4, count: 2 });
  expect(parseMachine('l4×4')).toMatchObject({ processor: processors.L4, count: 4 });
  expect(parseMachine('H100')).toMatchObject({ count: 1 });
  expect(() => parseMachine('T5x2')).toThrow(/expected devices such as T4x2 or L4x4, of T4, .* found T5x2$/);
  expect(() => parseMachine('T4x0')).toThrow(/found T4x0/);
});

test('speeds follow from the model and the data sheet', () => {
  const size = modelSize(half);
  expect(size.parameters).toBe(494_032_768);
  // what is neither embedding nor norm nor bias
  const norms = 49 * 896;
  const biases = 24 * (896 + 2 * 128);
  expect(size.multiplied).toBe(494_032_768 - 136_134_656 - norms - biases);
  const usage = { batchSize: 8, stepTokens: 2000, longest: 4000, rank: 32 };
  const { tune, prompt, answer } = speedsOn(processors.T4!, size, usage);
  // 357.8e6 weights: 4 · 357.8e6 · 2000 FLOP at 19.5 TFLOP/s, and 24 layers of a millisecond
  expect(tune).toBeCloseTo(2000 / (0.1468 + 0.024), -2);
  expect(prompt).toBeCloseTo(26e12 / (2 * 357.8e6), -2);
  // 0.99 GB at 160 GB/s take less than 24 launches of 0.3 ms
  expect(answer).toBeCloseTo(8 / 0.0072, -1);
  const { weights, step, checkpointed } = memoryOn(processors.T4!, size, usage);
  expect(weights).toBeCloseTo(0.92, 2);
  expect(checkpointed).toBeLessThan(step);
});

function tinyContest(more: object = {}) {
  const folder = temporaryFolder();
  return {
    ...{ challengesPath: writeTasks(join(folder, 'tasks.json'), recolourTasks(6)), recipe: 'tune' as const },
    ...{ modelPath: writeTinyModel(join(folder, 'model')), gridEncoder: 'MinimalGridEncoder()' },
    ...{ promptVersion: 'output-from-examples-mini', predictionsPerTask: 16, ...more },
  } as const;
}

test('without a time everything is answered; with less of it, fewer steps and predictions fit, then fewer tasks', async () => {
  const machines = ['CPU', 'T4x2', 'L4x4'];
  const endless = await forecastSubmission(tinyContest(), machines);
  for (const found of endless) {
    expect(found).toMatchObject({
      coverage: 1,
      steps: 1,
      predictions: 16,
      measured: false,
      checkpointed: false,
    });
    const { least, median, most } = found.taskSeconds;
    expect(least).toBeGreaterThan(0);
    expect(median).toBeLessThanOrEqual(most);
    expect(found.needed).toBeLessThan(found.memory);
  }
  const seconds = 3600 * endless[0]!.hours;
  const [short] = await forecastSubmission(
    tinyContest({ timeBudget: 0.5 * seconds, reservedTime: 0.001 }),
    machines,
  );
  expect(short).toMatchObject({ coverage: 1 });
  expect(short!.steps).toBeLessThan(1);
  const budget = { timeBudget: 0.02 * seconds, reservedTime: 0.001 };
  const [shortest] = await forecastSubmission(tinyContest(budget), machines);
  expect(shortest!.coverage).toBeLessThan(1);
  const { rows, source } = forecastRows(endless);
  expect(rows.map(({ machine, speeds }) => [machine, speeds])).toEqual(
    machines.map((m) => [m, 'not measured']),
  );
  expect(source).toContain('data sheets');
});

test('a search is forecast, after the first predictions', async () => {
  const contest = (recipe: 'tune' | 'search', more: object = {}) => ({
    ...{ ...tinyContest(more), recipe },
    ...{ fineTuneSteps: 0, predictionsPerTask: 1 },
    ...(recipe === 'search' ? { searchViews: 8 } : {}),
  });
  const [once] = await forecastSubmission(contest('tune'), ['CPU']);
  const [endless] = await forecastSubmission(contest('search'), ['CPU']);
  expect(once).not.toHaveProperty('searched');
  expect(endless).toMatchObject({ coverage: 1, predictions: 1, searched: 1 });
  // 8 views in the search, and 8 in the scores
  const ratio = endless!.taskSeconds.median / once!.taskSeconds.median;
  expect(ratio).toBeGreaterThan(4);
  expect(ratio).toBeLessThan(16);
  const seconds = 3600 * endless!.hours;
  const [short] = await forecastSubmission(
    contest('search', { timeBudget: 0.5 * seconds, reservedTime: 0.001 }),
    ['CPU'],
  );
  expect(short).toMatchObject({ coverage: 1, predictions: 1 });
  expect(short!.searched).toBeGreaterThan(0.2);
  expect(short!.searched).toBeLessThan(0.6);
  expect(forecastRows([short!]).rows[0]).toHaveProperty('searched', `${Math.round(100 * short!.searched!)}%`);
});

test('a recipe sets options, and those that are given go before', () => {
  const base = { challengesPath: 'c', modelPath: 'm', outputDir: 'o', backend: 'wasm' };
  expect(submitConfig(base)).toMatchObject({ recipe: 'vote', fineTuneSteps: 0, fineTunePerTask: false });
  const tuned = submitConfig({ ...base, recipe: 'tune', fineTuneSteps: 8 });
  expect(tuned).toMatchObject({
    ...{ fineTunePerTask: true, fineTuneSteps: 8, fineTuneBatchSize: 1, fineTuneLossOn: 'every-answer' },
  });
  const searched = submitConfig({ ...base, recipe: 'search', method: 'views+mean' });
  expect(searched).toMatchObject({ fineTuneSteps: 64, predictionsPerTask: 16, searchViews: 16 });
  const untuned = submitConfig({ ...base, recipe: 'search', fineTuneSteps: 0 });
  expect(untuned).toMatchObject({ fineTunePerTask: false, fineTuneSteps: 0, searchViews: 16 });
});
