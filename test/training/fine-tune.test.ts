import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { RERUN_VARIABLE } from '../../src/common/rerun.js';
import { type FineTuneEvent, type FineTuneOptions, fineTune } from '../../src/experiments/fine-tune.js';
import { inferEvaluate } from '../../src/experiments/infer-evaluate.js';
import { loadDecoder } from '../../src/models/index.js';
import { readCheckpoint } from '../../src/training/checkpoints.js';
import { temporaryFolder } from './temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from './tiny.js';

afterEach(() => vi.unstubAllEnvs());

function options(folder: string): FineTuneOptions {
  return {
    modelPath: writeTinyModel(join(folder, 'model')),
    trainDatasets: [[writeTasks(join(folder, 'tasks.json'), recolourTasks(4)), 'output-from-examples-mini']],
    gridEncoder: 'MinimalGridEncoder()',
    outputDir: join(folder, 'out'),
    maxSteps: 4,
    saveSteps: -1,
    evalSteps: -1,
    batchSize: 2,
    maxSeqLen: 512,
    learningRate: 1e-2,
    lora: { r: 2 },
    workers: 0,
  };
}

const files = ['adapter_model.safetensors', 'model.safetensors', 'optimizer.safetensors'];

/** A digest of each file that a checkpoint has of these. */
function digests(checkpoint: string): Record<string, string> {
  const present = files.filter((name) => existsSync(join(checkpoint, name)));
  return Object.fromEntries(
    present.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(checkpoint, name)))
        .digest('hex'),
    ]),
  );
}

test.each<[string, Partial<FineTuneOptions>]>([
  ['LoRA with dropout', { lora: { r: 2, dropout: 0.2 } }],
  [
    'rsLoRA with DoRA, on every answer',
    { lora: { r: 2, useRslora: true, useDora: true }, lossOn: 'every-answer' },
  ],
  ['PiSSA, which is saved in another form than it is trained', { lora: { r: 2, initWeights: 'pissa' } }],
  ['all weights, on all tokens', { useLora: false, lossOn: 'all', weightDecay: 0.1 }],
])('%s: stopped by the signal and continued, a run ends with the same weights', async (_, changes) => {
  const folder = temporaryFolder();
  const given = { ...options(folder), ...changes };
  const whole = await fineTune(given);
  expect(whole).toMatchObject({ steps: 4, interrupted: false });

  const stopping = new AbortController();
  const outputDir = join(folder, 'stopped');
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'step' && event.report.step === 2) stopping.abort();
  };
  const stopped = await fineTune({ ...given, outputDir, onEvent, signal: stopping.signal });
  expect(stopped).toMatchObject({ steps: 2, interrupted: true, checkpoint: join(outputDir, 'checkpoint-2') });
  const continued = await fineTune({ ...given, outputDir });
  expect(continued).toMatchObject({ steps: 4, interrupted: false });
  expect(digests(continued.checkpoint)).toEqual(digests(whole.checkpoint));
  expect(continued.history.train.map(({ loss }) => loss)).toEqual(
    whole.history.train.map(({ loss }) => loss),
  );
});

test('a checkpoint of all weights is a model folder of its own, without the weights a second time', async () => {
  const folder = temporaryFolder();
  const given = options(folder);
  const { checkpoint } = await fineTune({ ...given, useLora: false, maxSteps: 2 });
  const [before, after] = [await loadDecoder(given.modelPath), await loadDecoder(checkpoint)];
  const name = 'model.layers.0.mlp.up_proj.weight';
  const values = [before, after].map((decoder) => decoder.weights().get(name)!.dataSync());
  expect(values[0]).not.toEqual(values[1]);
  expect(existsSync(join(checkpoint, 'tokenizer.json'))).toBe(true);
  expect(readFileSync(join(checkpoint, 'optimizer.safetensors')).includes('param.')).toBe(false);
  before.dispose();
  after.dispose();
});

test('the losses of a run are its history, its events and its metrics file', async () => {
  const folder = temporaryFolder();
  const events: FineTuneEvent[] = [];
  const given = options(folder);
  const { history } = await fineTune({
    ...given,
    maxSteps: 5,
    loggingSteps: 2,
    evalSteps: 2,
    valDataset: given.trainDatasets,
    maxValSamples: 2,
    onEvent: (event) => events.push(event),
  });
  expect(history.train.map(({ step }) => step)).toEqual([2, 4, 5]);
  expect(history.validation.map(({ step, samples }) => [step, samples])).toEqual([
    [2, 2],
    [4, 2],
    [5, 2],
  ]);
  expect(history.validation.at(-1)!.loss).toBeLessThan(history.validation[0]!.loss);
  const points = events.flatMap((event) => ('point' in event ? [{ type: event.type, ...event.point }] : []));
  const lines = readFileSync(join(given.outputDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(points);
  expect(points.filter(({ type }) => type === 'train')).toMatchObject(history.train);
});

test('a run that starts over from an adapter of its own folder names the adapter where it was moved to', async () => {
  const folder = temporaryFolder();
  const given = { ...options(folder), maxSteps: 2 };
  const { checkpoint } = await fineTune(given);
  const again = { ...given, maxSteps: 1, adapterPath: checkpoint };
  const result = await fineTune({ ...again, resumeFromCheckpoint: false });
  const adapterPath = join(given.outputDir, 'previous-1', 'checkpoint-2');
  const { config } = readCheckpoint(result.checkpoint);
  expect(config.adapterPath).toBe(adapterPath);
  expect(await fineTune({ ...again, adapterPath, maxSteps: 2 })).toMatchObject({ steps: 2 });
});

test('a signal during a validation ends the run without its point, and the continued run measures it', async () => {
  const folder = temporaryFolder();
  const given = options(folder);
  const stopping = new AbortController();
  // one sample per pass, so that the signal finds the validation half done
  const validation = { valDataset: given.trainDatasets, evalSteps: 2, maxTokensPerBatch: 1 };
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'train' && event.point.step === 2) setImmediate(() => stopping.abort());
  };
  const run = { ...given, ...validation, loggingSteps: 1 };
  const stopped = await fineTune({ ...run, onEvent, signal: stopping.signal });
  expect(stopped).toMatchObject({ steps: 2, interrupted: true, history: { validation: [] } });
  const { history } = await fineTune(run);
  expect(history.validation.map(({ step }) => step)).toEqual([2, 4]);
});

test('a run is not continued with data or a base that have changed, by content', async () => {
  const folder = temporaryFolder();
  const data = (name: string, tasks: Record<string, unknown>) => writeTasks(join(folder, name), tasks);
  const tasks = recolourTasks(4);
  const kind = 'output-from-examples-mini';
  const given: FineTuneOptions = {
    ...options(folder),
    trainDatasets: [[data('train.json', tasks), kind]],
    valDataset: [[data('val.json', recolourTasks(3)), kind]],
    maxSteps: 1,
  };
  await fineTune(given);
  const more = (steps: number) => fineTune({ ...given, maxSteps: steps });
  // another layout of the same tasks
  writeFileSync(join(folder, 'train.json'), JSON.stringify(tasks, null, 2));
  expect(await more(2)).toMatchObject({ steps: 2 });
  data('val.json', recolourTasks(5));
  await expect(more(3)).rejects.toThrow(/checkpoint-2: cannot continue it: .*val\.json has changed since/);
  data('val.json', recolourTasks(3));
  const { task0, ...rest } = tasks;
  data('train.json', { ...rest, task0: task0! });
  await expect(more(3)).rejects.toThrow(/train\.json has changed/);
  data('train.json', tasks);
  writeTinyModel(given.modelPath, 2);
  await expect(more(3)).rejects.toThrow(/the model of `modelPath` has changed/);
  writeTinyModel(given.modelPath);
  expect(await more(3)).toMatchObject({ steps: 3 });
});

test('a rerun trains anew, and continues what it has trained itself', async () => {
  const given = { ...options(temporaryFolder()), maxSteps: 2 };
  const before = await fineTune(given);
  const seen: number[] = [];
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'step') seen.push(event.report.step);
  };
  vi.stubEnv(RERUN_VARIABLE, String(Date.now()));
  const again = await fineTune({ ...given, onEvent });
  expect(seen).toEqual([1, 2]);
  expect(again.history.train.map(({ loss }) => loss)).toEqual(before.history.train.map(({ loss }) => loss));
  expect(digests(again.checkpoint)).toEqual(digests(join(given.outputDir, 'previous-1', 'checkpoint-2')));
  await fineTune({ ...given, maxSteps: 3, onEvent });
  expect(seen).toEqual([1, 2, 3]);
});

test('validation tasks that are trained on are counted', async () => {
  const folder = temporaryFolder();
  const notes: string[] = [];
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'note') notes.push(event.text);
  };
  const [own, other] = [recolourTasks(4), recolourTasks(5)];
  const mixed = { a: own.task1!, b: other.task2!, c: own.task3! };
  const given = { ...options(folder), maxSteps: 1, onEvent };
  const validate = (tasks: Record<string, unknown>) =>
    fineTune({
      ...given,
      outputDir: join(folder, `out-${Object.keys(tasks).length}`),
      valDataset: [[writeTasks(join(folder, 'val.json'), tasks), 'output-from-examples-mini']],
    });
  await validate(mixed);
  expect(notes).toContainEqual(
    expect.stringMatching(/2 of 3 tasks of .*val\.json are in the training data too, up to .* \(a, c\)/),
  );
  notes.length = 0;
  await validate({ b: other.task2! });
  expect(notes.filter((text) => text.includes('training data'))).toEqual([]);
});

test('what cannot be is said before the model is loaded, and leaves no folder behind', async () => {
  const folder = temporaryFolder();
  const given = options(folder);
  writeFileSync(join(given.modelPath, 'model.safetensors'), 'no weights');
  await expect(fineTune({ ...given, backend: 'abacus' })).rejects.toThrow(/abacus/);
  await expect(fineTune({ ...given, adapterPath: join(folder, 'none') })).rejects.toThrow(/none: no such/);
  await expect(fineTune({ ...given, lora: { r: 17, initWeights: 'pissa' } })).rejects.toThrow(
    /pissa rank 17 is above the rank of .*q_proj/,
  );
  await expect(fineTune(given)).rejects.toThrow(/model\.safetensors: not a safetensors file|truncated/);
  expect(existsSync(given.outputDir)).toBe(false);
});

test('a sequence length beyond what the model was made for is pointed out', async () => {
  const notes: string[] = [];
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'note') notes.push(event.text);
  };
  await fineTune({ ...options(temporaryFolder()), maxSteps: 1, maxSeqLen: 5000, onEvent });
  expect(notes[0]).toBe('`maxSeqLen: 5000`: the model was made for 4096 tokens');
});

test('a checkpoint whose options were saved under the names of version 0.1.0 is continued and predicts', async () => {
  const folder = temporaryFolder();
  const given: FineTuneOptions = {
    ...options(folder),
    saveSteps: 2,
    maxTokensPerBatch: 512,
    learningRate: 1e-4,
    dtype: 'float32',
    lora: { r: 2, alpha: 4, dropout: 0.1, useRslora: true },
  };
  const pairs = given.trainDatasets;
  const whole = await fineTune({ ...given, valDataset: pairs, outputDir: join(folder, 'whole') });
  const stopping = new AbortController();
  const onEvent = (event: FineTuneEvent) => {
    if (event.type === 'step' && event.report.step === 2) stopping.abort();
  };
  const { checkpoint } = await fineTune({ ...given, valDataset: pairs, onEvent, signal: stopping.signal });
  const saved = readFileSync(new URL('./fixtures/cfg-0.1.0.json', import.meta.url), 'utf8')
    .replaceAll('"MODEL"', JSON.stringify(given.modelPath))
    .replaceAll('"TRAIN"', JSON.stringify(pairs[0]![0]))
    .replaceAll('"OUTPUT"', JSON.stringify(given.outputDir));
  writeFileSync(join(checkpoint, 'cfg.json'), saved);
  await expect(fineTune({ ...given, valDataset: pairs, lora: { ...given.lora, alpha: 8 } })).rejects.toThrow(
    /cannot continue it with other options: `lora\.alpha` was 4 and is 8/,
  );
  const { metrics } = await inferEvaluate({ checkpoint, predictionsPerTask: 1, maxNewTokens: 12 });
  expect(metrics).toBeDefined();
  const continued = await fineTune({ ...given, valDataset: pairs });
  expect(continued).toMatchObject({ steps: 4, interrupted: false });
  expect(digests(continued.checkpoint)).toEqual(digests(whole.checkpoint));
});
