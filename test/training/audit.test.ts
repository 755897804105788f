import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Dataset, Sample, Task, TestSample } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { getPromptKind, loadTokenizer, PromptBuilder, parseGridEncoder } from '../../src/prompts/index.js';
import { auditStream } from '../../src/training/audit.js';
import { type AuditFinding, auditFindings, auditLine } from '../../src/training/audit-findings.js';
import { auditTaskRows } from '../../src/training/audit-rows.js';
import { auditRun } from '../../src/training/audit-run.js';
import { type FineTuneFileOptions, fineTuneConfig } from '../../src/training/options.js';
import type { TrainingSample } from '../../src/training/sample.js';
import {
  SampleSource,
  type SampleSourceOptions,
  type TrainingPair,
  type TrainingPrompts,
} from '../../src/training/sample-source.js';
import { augmentationOf, openSampleSource, type TrainingDataSpec } from '../../src/training/training-data.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  writeTinyModel(join(folder, 'model'));
});

/** A sample whose grids tell its number: `0079` becomes `0078`. */
const numbered = (n: number): Sample => {
  const digits = Array.from(String(n).padStart(3, '0'), Number);
  return { input: [[...digits, 9]], output: [[...digits, 8]] };
};

/** Tasks of so many train and test samples, numbered one after the other. */
function numberedTasks(sizes: readonly (readonly [train: number, test: number])[]): Dataset {
  let next = 0;
  const samples = (count: number) => Array.from({ length: count }, () => numbered(next++));
  return new Map(
    sizes.map(([train, test], i) => [`task${i}`, [{ train: samples(train), test: samples(test) }]]),
  );
}

const augmentation = {
  swapTrainAndTest: true,
  geometricAugmentation: false,
  colorAugmentation: false,
  orderAugmentation: true,
  taskAugmentation: 0,
};

function source(dataset: Dataset, kinds: readonly string[], changes: Partial<TrainingDataSpec> = {}) {
  const spec: TrainingDataSpec = {
    pairs: kinds.map((kind, i) => ['data', kind, i + 1]),
    lossWeights: {},
    gridEncoder: 'MinimalGridEncoder()',
    tokenizerFolder: join(folder, 'model'),
    seed: 3,
    lossOn: 'last-answer',
    maxSeqLen: 400,
    removeTrainSamplesToFitMaxSeqLen: false,
    ...augmentation,
    ...changes,
  };
  return openSampleSource(spec, loadTokenizer(spec.tokenizerFolder), new Map([['data', dataset]]));
}

/** The length of the prompts of a stream in the middle. */
function medianLength(stream: SampleSource): number {
  const lengths = Array.from({ length: 51 }, (_, i) => (stream.item(i) as TrainingSample).tokens.length);
  return lengths.sort((a, b) => a - b)[25]!;
}

describe.each([
  ['all fit', {}],
  ['some do not fit', { some: true }],
  ['some lose samples', { some: true, removeTrainSamplesToFitMaxSeqLen: true }],
  ['no swap', { swapTrainAndTest: false }],
] as const)('the counts of an audit are those of the prompts, where %s', (_, changes) => {
  test.each(['output-from-examples-mini', 'input-from-inputs-mini', 'output-from-outputs-mini'])(
    '%s',
    async (kind) => {
      const dataset = numberedTasks([
        [3, 1],
        [2, 2],
        [5, 0],
        [4, 3],
      ]);
      const { some = false, ...others }: { some?: boolean } & Partial<TrainingDataSpec> = changes;
      const maxSeqLen = some ? medianLength(source(dataset, [kind])) : 400;
      const stream = source(dataset, [kind], { ...others, maxSeqLen });
      const tokenizer = loadTokenizer(join(folder, 'model'));
      // what a person would count who reads the prompts
      const targets = new Map<number, number>();
      const shown = new Map<number, number>();
      const count = (map: Map<number, number>, n: number) => map.set(n, (map.get(n) ?? 0) + 1);
      const wanted = 150;
      let tooLong = 0;
      for (let i = 0, samples = 0; samples < wanted; i++) {
        const item = stream.item(i);
        if ('tooLong' in item) {
          tooLong++;
          continue;
        }
        samples++;
        const grids = tokenizer.decode([...item.tokens]).match(/\b\d{3}[89]\b/g)!;
        const numbers = grids.map((text) => Number(text.slice(0, 3)));
        count(targets, numbers.at(-1)!);
        const before = new Set(numbers.slice(0, -1));
        // the input of the test sample is no sample that is shown
        if (kind === 'output-from-examples-mini') before.delete(numbers.at(-1)!);
        for (const n of before) count(shown, n);
      }

      const audit = await auditStream(stream, { wanted, endOfTurnId: tokenizer.endOfTurnId });
      const [pair] = audit.pairs;
      expect(audit.samples).toBe(wanted);
      expect(pair!.tooLong).toBe(tooLong);
      expect(tooLong > 0).toBe(some && !others.removeTrainSamplesToFitMaxSeqLen);
      const numberOf = ({ input }: TestSample) => Number(input[0]!.slice(0, 3).join(''));
      for (const { taskId, train, test: tests } of pair!.tasks) {
        const task = dataset.get(taskId)![0]!;
        const of = (map: Map<number, number>, samples: readonly TestSample[]) =>
          samples.map((sample) => map.get(numberOf(sample)) ?? 0);
        expect(train).toEqual({ targets: of(targets, task.train), shown: of(shown, task.train) });
        expect(tests).toEqual({ targets: of(targets, task.test), shown: of(shown, task.test) });
      }
    },
  );
});

test('a prompt has never more tokens than its bytes say, for any kind and encoder', () => {
  const tokenizer = loadTokenizer(join(import.meta.dirname, '../prompts/fixtures/qwen'));
  const rng = Rng.of(5);
  const grid = () => Array.from({ length: rng.int(1, 6) }, () => [rng.int(0, 9), rng.int(0, 9)]);
  const sample = () => ({ input: grid(), output: grid() });
  const task: Task = { train: [sample(), sample(), sample()], test: [sample(), sample()] };
  for (const name of ['output-from-examples-v1', 'output-from-examples-bare', 'input-from-inputs-v0']) {
    for (const expression of ['MinimalGridEncoder()', 'GridShapeEncoder(ReplaceNumberEncoder())']) {
      const kind = getPromptKind(name);
      const builder = new PromptBuilder({ tokenizer, encoder: parseGridEncoder(expression), kind });
      const { length } = builder.training(task, 1).tokens;
      expect(builder.mostTokens(task, 1)).toBeGreaterThanOrEqual(length);
      expect(builder.mostTokens(task, 1)).toBeLessThan(4 * length);
    }
  }
  const { byteVocabulary: _, ...others } = tokenizer;
  const unknown = { ...others, byteVocabulary: () => undefined };
  const kind = getPromptKind('output-from-examples-v1');
  const builder = new PromptBuilder({
    tokenizer: unknown,
    encoder: parseGridEncoder('MinimalGridEncoder()'),
    kind,
  });
  expect(builder.mostTokens(task, 1)).toBeUndefined();
});

const intent = {
  swapTrainAndTest: true,
  geometricAugmentation: true,
  colorAugmentation: true,
  orderAugmentation: true,
  taskAugmentation: 0,
  maxSeqLen: 400,
};

/** Prompts of no tokens but the end of the answer, number 7, which the loss counts. */
const plainPrompts: TrainingPrompts = {
  training: () => ({ tokens: [1, 7], answers: [[1, 2]] }),
  mostTokens: () => 2,
};

function plainPair(dataset: Dataset, changes: Partial<TrainingPair> = {}): TrainingPair {
  const kind = changes.kind ?? 'output-from-examples-v1';
  const asksFor = getPromptKind(kind).task;
  return {
    label: 'data',
    dataset,
    kind,
    asksFor,
    prompts: plainPrompts,
    weight: 1,
    lossWeight: 1,
    ...changes,
  };
}

const all = { ...augmentation, geometricAugmentation: true, colorAugmentation: true };

async function findings(
  pairs: readonly TrainingPair[],
  wanted: number,
  changes: Partial<SampleSourceOptions> = {},
  intended: Partial<typeof intent> = {},
): Promise<AuditFinding[]> {
  const options = {
    seed: 1,
    lossOn: 'last-answer',
    maxSeqLen: 400,
    removeTrainSamplesToFitMaxSeqLen: false,
  } as const;
  const stream = new SampleSource(pairs, { ...options, augment: augmentationOf(all), ...changes });
  const audit = await auditStream(stream, { wanted, endOfTurnId: 7 });
  return auditFindings(audit, { ...intent, ...intended });
}

const holes = (list: readonly AuditFinding[]) =>
  list.filter(({ severity }) => severity === 'hole').map(({ kind }) => kind);

test('chance is no hole: short and long runs over many seeds have none', async () => {
  const pairs = [
    plainPair(numberedTasks(Array.from({ length: 12 }, (_, i) => [2 + (i % 4), i % 3]))),
    plainPair(numberedTasks([[40, 0]]), { kind: 'input-from-inputs-v0', label: 'many', weight: 0.2 }),
  ];
  for (let seed = 0; seed < 25; seed++) {
    for (const wanted of [1, 30, 300]) {
      expect(holes(await findings(pairs, wanted, { seed }))).toEqual([]);
    }
  }
});

test('a symmetry, an order or a task augmentation that never comes is a hole', async () => {
  const pairs = [plainPair(numberedTasks([[4, 1]]))];
  const without = (changes: object, intended: object = {}) =>
    findings(pairs, 300, { augment: augmentationOf({ ...all, ...changes }) }, intended);
  expect(holes(await without({}))).toEqual([]);
  const [found] = await without({ geometricAugmentation: false });
  expect(found).toEqual({
    kind: 'augmentation',
    severity: 'hole',
    text: 'data (output-from-examples-v1): `geometricAugmentation`: 7 of 8 symmetries never occur in 300 samples',
  });
  expect(holes(await without({ colorAugmentation: false }))).toEqual(['augmentation']);
  expect(holes(await without({ orderAugmentation: false }))).toEqual(['augmentation']);
  expect(holes(await without({}, { taskAugmentation: 0.2 }))).toEqual(['augmentation']);
  expect(holes(await without({ taskAugmentation: 0.2 }, { taskAugmentation: 0.2 }))).toEqual([]);
});

test('a prompt that shows what it asks for, and an answer whose end is not learned, are holes', async () => {
  const dataset = numberedTasks([[3, 1]]);
  const leaking = ({ train, test: tests }: Task) => ({
    task: { train: [...train, tests[0] as Sample], test: tests },
  });
  expect(holes(await findings([plainPair(dataset)], 50, { augment: leaking }))).toContain('target-shown');
  const endless: TrainingPrompts = { training: () => ({ tokens: [1, 2, 7], answers: [[1, 2]] }) };
  const ended = await findings([plainPair(dataset, { prompts: endless })], 50);
  expect(holes(ended)).toEqual(['end-not-learned']);
  expect(ended[0]!.text).toMatch(/in 50 of 50 prompts the end of the answer is not learned/);
  const other: TrainingPrompts = { training: () => ({ tokens: [1, 2], answers: [[1, 2]] }) };
  expect(holes(await findings([plainPair(dataset, { prompts: other })], 50))).toEqual(['end-not-learned']);
});

test('a change that forgets where samples come from is refused', async () => {
  const forgetful = ({ train, test: tests }: Task) => ({
    task: { train, test: tests.map(({ input, output }) => ({ input, output: output! })) },
  });
  await expect(findings([plainPair(numberedTasks([[3, 1]]))], 5, { augment: forgetful })).rejects.toThrow(
    /task task0: a change has lost where its samples come from/,
  );
});

test('tasks that never fit are a hole, tasks that a short run does not reach are a note', async () => {
  const dataset = numberedTasks(Array.from({ length: 20 }, (_, i) => [i < 3 ? 9 : 3, 1]));
  const prompts: TrainingPrompts = {
    training: ({ train }) => ({
      tokens: [...new Array<number>(60 * train.length).fill(1), 7],
      answers: [[0, 1]],
    }),
  };
  const found = await findings([plainPair(dataset, { prompts })], 400);
  expect(found).toContainEqual({
    kind: 'too-long',
    severity: 'hole',
    text:
      'data (output-from-examples-v1): 3 tasks of 20 were drawn and never fit `maxSeqLen: 400`, the shortest prompt ' +
      'that does not has 541 tokens; raise `maxSeqLen` or add `removeTrainSamplesToFitMaxSeqLen`',
  });
  const short = await findings([plainPair(dataset)], 10);
  expect(holes(short)).toEqual([]);
  expect(short.find(({ kind }) => kind === 'never-drawn')?.text).toMatch(
    /\d+ of 20 tasks are not drawn in 10 samples, about 12 would be by chance; more steps reach them/,
  );
});

test('the line of a run counts at most 20,000 samples and cuts few of them into tokens', async () => {
  const dataset = numberedTasks([
    [3, 1],
    [2, 1],
  ]);
  const options: FineTuneFileOptions = {
    modelPath: join(folder, 'model'),
    trainDatasets: [['data', 'output-from-examples-mini']],
    outputDir: folder,
    maxSteps: 50_000,
    batchSize: 2,
    gridEncoder: 'MinimalGridEncoder()',
  };
  const tokenizer = loadTokenizer(join(folder, 'model'));
  const prompts = { tokenizer, folder: join(folder, 'model') };
  const loaded = () => new Map([['data', dataset]]);
  const limits = { limit: 200, tokenized: 20 };
  const audit = await auditRun(fineTuneConfig(options), prompts, loaded(), limits);
  expect(auditLine(audit)).toBe(
    'training stream, first 200 of 100000 samples: data (output-from-examples-mini) 2 of 2 tasks, ' +
      'targets 5 of 5 train samples and 2 of 2 test samples',
  );
  expect(audit.pairs[0]!.checkedEnds).toBe(16);
  const rows = auditTaskRows(audit);
  expect(rows.map(({ prompts: count }) => count).reduce((a, b) => a + b)).toBe(200);
});
