import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FineTuneEvent, type FineTuneOptions, fineTune } from '../../src/experiments/fine-tune.js';
import { loadDecoder } from '../../src/models/index.js';
import { readCheckpoint } from '../../src/training/checkpoints.js';
import { temporaryFolder } from './temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from './tiny.js';

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
    loraR: 2,
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
  ['LoRA with dropout', { loraDropout: 0.2 }],
  ['rsLoRA with DoRA', { useRslora: true, useDora: true }],
  ['PiSSA, which is saved in another form than it is trained', { loraWeightInitialization: 'pissa' }],
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

test('what cannot be is said before the model is loaded, and leaves no folder behind', async () => {
  const folder = temporaryFolder();
  const given = options(folder);
  writeFileSync(join(given.modelPath, 'model.safetensors'), 'no weights');
  await expect(fineTune({ ...given, backend: 'abacus' })).rejects.toThrow(/abacus/);
  await expect(fineTune({ ...given, adapterPath: join(folder, 'none') })).rejects.toThrow(/none: no such/);
  await expect(fineTune({ ...given, loraR: 17, loraWeightInitialization: 'pissa' })).rejects.toThrow(
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
  expect(notes).toEqual(['--max_seq_len 5000: the model was made for 4096 tokens']);
});
