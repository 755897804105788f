import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Task } from '../../src/arc/types.js';
import { buildFile } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { loadTokenizer } from '../../src/prompts/index.js';
import { NothingFitsError, TrainingDataError } from '../../src/training/errors.js';
import type { TrainingSample } from '../../src/training/sample.js';
import {
  SampleSource,
  type TrainingPair,
  validationSet,
  withTestSample,
} from '../../src/training/sample-source.js';
import { SampleStream, type SampleStreamOptions } from '../../src/training/sample-stream.js';
import { openSampleSource, type TrainingDataSpec } from '../../src/training/training-data.js';
import { temporaryFolder } from './temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from './tiny.js';

/** A prompt of 10 tokens per train sample and an answer of 3, without a tokenizer. */
const prompts = {
  training: (task: Task) => ({
    tokens: new Array<number>(10 * task.train.length + 3).fill(task.test[0]!.input[0]![0]!),
    answers: [[10 * task.train.length, 10 * task.train.length + 3]] as const,
  }),
};

function pair(changes: Partial<TrainingPair> = {}): TrainingPair {
  const dataset = new Map(Object.entries(recolourTasks(5)).map(([id, task]) => [id, [task]]));
  const asked = { kind: 'kind', asksFor: 'output-from-examples', prompts } as const;
  return { label: 'data', dataset, ...asked, weight: 1, lossWeight: 1, ...changes };
}

const limits = {
  seed: 1,
  lossOn: 'last-answer',
  maxSeqLen: 100,
  removeTrainSamplesToFitMaxSeqLen: false,
} as const;

function stream(options: Partial<SampleStreamOptions>): SampleStream {
  const result = new SampleStream({ ...limits, ...options });
  onTestFinished(() => result.close());
  return result;
}

async function take(from: SampleStream, count: number) {
  const samples = [];
  for (let i = 0; i < count; i++) samples.push(await from.next());
  return samples;
}

function spec(folder: string): TrainingDataSpec {
  const path = writeTasks(join(folder, 'tasks.json'), recolourTasks(6));
  return {
    pairs: [
      [path, 'output-from-examples-mini'],
      [path, 'input-from-inputs-mini', 3],
    ],
    lossWeights: { 'input-from-inputs-mini': 0.5 },
    gridEncoder: 'MinimalGridEncoder()',
    tokenizerFolder: writeTinyModel(join(folder, 'model')),
    ...limits,
    maxSeqLen: 400,
    swapTrainAndTest: true,
    geometricAugmentation: true,
    colorAugmentation: true,
    orderAugmentation: true,
    taskAugmentation: 0.3,
  };
}

test('the i-th item does not depend on what was asked before', () => {
  const source = () => new SampleSource([pair(), pair({ kind: 'other' })], limits);
  const forwards = Array.from({ length: 20 }, (_, i) => source().item(i));
  const one = source();
  const backwards = Array.from({ length: 20 }, (_, i) => one.item(19 - i)).reverse();
  expect(backwards).toEqual(forwards);
  expect(new SampleSource([pair()], { ...limits, seed: 2 }).item(3)).not.toEqual(one.item(3));
});

test('worker threads give the samples of this thread, in order, from any start', async () => {
  const data = spec(temporaryFolder());
  const worker = (count: number, start: number) =>
    stream({ worker: { file: buildFile('sample-worker.cjs'), data, count }, ahead: 8, start });
  const inline = await take(stream({ source: openSampleSource(data) }), 30);
  expect(await take(worker(2, 0), 30)).toEqual(inline);
  expect(await take(worker(1, 13), 17)).toEqual(inline.slice(13));
  const weights = new Map(inline.map(({ kind, weight }) => [kind, weight]));
  expect(Object.fromEntries(weights)).toEqual({
    'output-from-examples-mini': 1,
    'input-from-inputs-mini': 0.5,
  });
});

test('what goes wrong in a worker is told with its own message', async () => {
  const data = { ...spec(temporaryFolder()), gridEncoder: 'NoSuchEncoder()' };
  const broken = stream({ worker: { file: buildFile('sample-worker.cjs'), data, count: 1 } });
  await expect(broken.next()).rejects.toThrow(/NoSuchEncoder/);
});

test('the position continues the stream exactly, also after a look ahead', async () => {
  const source = new SampleSource([pair()], { ...limits, maxSeqLen: 33 });
  const first = stream({ source });
  await first.check();
  expect(first.position).toBe(0);
  await take(first, 7);
  await first.check();
  const rest = stream({ source, start: first.position });
  expect(await take(rest, 5)).toEqual(await take(first, 5));
});

test('pairs are drawn as often as their weights say', () => {
  const source = new SampleSource([pair(), pair({ kind: 'often', weight: 3 })], limits);
  const kinds = Array.from({ length: 1000 }, (_, i) => source.item(i)).map(
    (item) => 'kind' in item && item.kind,
  );
  expect(kinds.filter((kind) => kind === 'often').length / 1000).toBeCloseTo(0.75, 1);
});

test('a sample that is too long loses train samples where that is allowed, and is passed over elsewhere', async () => {
  const shorter = new SampleSource([pair()], {
    ...limits,
    maxSeqLen: 25,
    removeTrainSamplesToFitMaxSeqLen: true,
  });
  expect((shorter.item(0) as { tokens: Int32Array }).tokens).toHaveLength(23);
  const source = new SampleSource([pair()], { ...limits, maxSeqLen: 25 });
  expect(source.item(0)).toEqual({ index: 0, tooLong: 33 });
});

test('the loss counts the last answer, every answer of what fits, or all tokens', () => {
  const folder = temporaryFolder();
  const sample = (lossOn: TrainingDataSpec['lossOn'], changes: Partial<TrainingDataSpec> = {}) => {
    const { pairs, ...rest } = spec(folder);
    const source = openSampleSource({ ...rest, pairs: pairs.slice(0, 1), lossOn, ...changes });
    return source.item(0) as TrainingSample;
  };
  const last = sample('last-answer');
  const { length } = last.tokens;
  const every = sample('every-answer');
  expect(every.tokens).toEqual(last.tokens);
  expect(sample('all').labelSpans).toEqual([[1, length]]);
  // 3 train samples of 2 × 2 grids: two digits, the end of a row, two digits
  expect(last.labelSpans).toEqual([[length - 6, length]]);
  expect(every.labelSpans.map(([start, end]) => end - start)).toEqual([5, 5, 5, 6]);
  const shorter = sample('every-answer', { maxSeqLen: length - 1, removeTrainSamplesToFitMaxSeqLen: true });
  const tokenizer = loadTokenizer(join(folder, 'model'));
  const texts = ({ tokens, labelSpans }: TrainingSample) =>
    labelSpans.map(([start, end]) => tokenizer.decode([...tokens.slice(start, end)]));
  expect(texts(shorter)).toEqual(texts(every).toSpliced(2, 1));
  expect(texts(shorter)).toHaveLength(3);
});

test('answers that cannot be found are refused before anything is drawn', () => {
  const data = { ...spec(temporaryFolder()), lossOn: 'every-answer' } as const;
  const tokenizer = { ...loadTokenizer(data.tokenizerFolder), byteVocabulary: () => undefined };
  expect(() => openSampleSource(data, tokenizer)).toThrow(/`lossOn: every-answer`: .* byte-level/);
  expect(() => openSampleSource({ ...data, lossOn: 'last-answer' }, tokenizer)).not.toThrow();
});

test('a run whose samples never fit stops with the shortest length and the flags', async () => {
  const nothing = stream({ source: new SampleSource([pair()], { ...limits, maxSeqLen: 25 }), maxSeqLen: 25 });
  await expect(nothing.check()).rejects.toThrow(NothingFitsError);
  const again = stream({ source: new SampleSource([pair()], { ...limits, maxSeqLen: 25 }), maxSeqLen: 25 });
  await expect(again.next()).rejects.toThrow(
    '`maxSeqLen: 25`: only 0 of the first 200 training samples fit; the shortest that does not has 33 tokens. ' +
      'Raise `maxSeqLen` or add `removeTrainSamplesToFitMaxSeqLen`',
  );
});

test('a task without a test set gets a test sample and two to five others, all of its own', () => {
  const { train } = Object.values(recolourTasks(1))[0]!;
  const many = { train: [...train, ...train, ...train], test: [] };
  for (let i = 0; i < 50; i++) {
    const drawn = withTestSample(many, Rng.of(i));
    expect(drawn.test).toHaveLength(1);
    expect(drawn.train.length).toBeGreaterThanOrEqual(2);
    expect(drawn.train.length).toBeLessThanOrEqual(5);
    for (const sample of [...drawn.train, ...drawn.test]) expect(many.train).toContain(sample);
  }
  const alone = new Map([['one', [{ train: train.slice(0, 1), test: [] }]]]);
  expect(() => new SampleSource([pair({ dataset: alone })], limits)).toThrow(TrainingDataError);
});

test('the validation set holds every test sample once, or a fixed draw of them', () => {
  const all = validationSet([pair(), pair({ kind: 'other' })], limits);
  expect(all.samples.map(({ kind }) => kind)).toEqual([
    ...new Array(5).fill('kind'),
    ...new Array(5).fill('other'),
  ]);
  const some = () => validationSet([pair()], { ...limits, maxValSamples: 2 });
  expect(some().samples).toHaveLength(2);
  expect(some()).toEqual(some());
  expect(validationSet([pair()], { ...limits, maxSeqLen: 5 })).toEqual({ samples: [], tooLong: 5 });
});

test('the stream of a seed stays what it is', () => {
  const source = openSampleSource(spec(temporaryFolder()));
  let hash = 7;
  for (let i = 0; i < 40; i++) {
    const item = source.item(i);
    for (const token of 'tokens' in item ? item.tokens : [-1]) hash = (hash * 31 + token) % 1_000_003;
  }
  expect(hash).toBe(637878);
});
