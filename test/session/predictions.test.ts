import { describe, expect, it } from 'vitest';
import { augmentGrid, identityAugmentation } from '../../src/arc/augmentation.js';
import type { Grid, Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { parseGridEncoder } from '../../src/prompts/index.js';
import { fitPrompt, planPredictions, toPredictions, toRequests } from '../../src/session/predictions.js';

const encoder = parseGridEncoder('GridShapeEncoder(MinimalGridEncoder())');

function randomGrid(rng: Rng): Grid {
  const [height, width] = [rng.int(1, 5), rng.int(1, 5)];
  return Array.from({ length: height }, () => Array.from({ length: width }, () => rng.int(0, 9)));
}

function randomTask(seed: number, train: number, test: number): Task {
  const rng = Rng.of(seed, 'task');
  const samples = (count: number) =>
    Array.from({ length: count }, () => ({ input: randomGrid(rng), output: randomGrid(rng) }));
  return { train: samples(train), test: samples(test) };
}

/** Ten tokens for each train sample and ten for the test input. */
const prompts = {
  inference: (task: Task) => ({ tokens: new Array<number>(10 * (task.train.length + 1)).fill(1) }),
  parseAnswer: (text: string) => encoder.decode(text),
};

const options = { predictionsPerTask: 6, seed: 3, temperature: 0, maxSeqLen: 100, answerTokens: () => 10 };

describe('planPredictions', () => {
  const tasks = new Map([
    ['a', randomTask(1, 3, 1)],
    ['b', randomTask(2, 2, 2)],
  ]);

  it('makes as many for each test input as asked for, the first of the plain task', () => {
    const { predictions } = planPredictions(tasks, prompts, options);
    expect(predictions.map(({ taskId, testIndex }) => `${taskId}${testIndex}`)).toEqual([
      ...new Array(6).fill('a0'),
      ...new Array(6).fill('b0'),
      ...new Array(6).fill('b1'),
    ]);
    expect(predictions[0]!.augmentation).toEqual(identityAugmentation);
    const different = new Set(
      predictions.slice(0, 6).map(({ augmentation }) => JSON.stringify(augmentation)),
    );
    expect(different.size).toBe(6);
    expect(new Set(predictions.map(({ stream }) => stream)).size).toBe(18);
  });

  it('gives a task the same augmentations in any company', () => {
    const all = planPredictions(tasks, prompts, options).predictions;
    const alone = planPredictions(new Map([['b', tasks.get('b')!]]), prompts, options).predictions;
    expect(alone).toEqual(all.slice(6));
    const fewer = planPredictions(tasks, prompts, { ...options, predictionsPerTask: 2 }).predictions;
    expect(fewer.slice(0, 2)).toEqual(all.slice(0, 2));
  });

  it('leaves augmentations out that are turned off', () => {
    const { predictions } = planPredictions(tasks, prompts, {
      ...options,
      geometricAugmentation: false,
      colorAugmentation: false,
      orderAugmentation: false,
    });
    for (const { augmentation } of predictions) expect(augmentation).toEqual(identityAugmentation);
  });

  it('asks greedy decoding for as many predictions as there are views, and counts the others', () => {
    const plain = { geometricAugmentation: true, colorAugmentation: false, orderAugmentation: false };
    const wanted = { ...options, ...plain, predictionsPerTask: 20 };
    const plan = planPredictions(tasks, prompts, wanted);
    expect(plan.withoutView).toBe(3 * 12);
    expect(plan.predictions).toHaveLength(3 * 8);
    // with a temperature the same view may be asked again, in a random stream of its own
    const drawn = planPredictions(tasks, prompts, { ...wanted, temperature: 0.5 });
    expect(drawn.withoutView).toBe(0);
    expect(drawn.predictions).toHaveLength(3 * 20);
    expect(new Set(drawn.predictions.map(({ stream }) => stream)).size).toBe(60);
    expect(drawn.predictions.slice(0, 8)).toEqual(plan.predictions.slice(0, 8));
  });

  it('counts prompts that lost train samples and prompts that do not fit', () => {
    const plan = planPredictions(tasks, prompts, { ...options, maxSeqLen: 40 });
    expect(plan).toMatchObject({ shortened: 6, tooLong: 0 });
    expect(plan.predictions[0]!.tokens).toHaveLength(30);
    const none = planPredictions(tasks, prompts, { ...options, maxSeqLen: 29 });
    expect(none).toMatchObject({ shortened: 0, tooLong: 18 });
    expect(toRequests(none)).toEqual([]);
  });

  it('keeps at least one train sample', () => {
    const task = tasks.get('a')!;
    expect(fitPrompt(prompts, task, 0, 20)).toMatchObject({ removed: 2 });
    expect(fitPrompt(prompts, task, 0, 19)).toBeNull();
  });
});

describe('toPredictions', () => {
  const task = randomTask(5, 3, 2);
  const plan = planPredictions(new Map([['t', task]]), prompts, options);
  const answer = (text: string, finished = true) => ({ text, tokens: [1, 2], logProb: -1.5, finished });

  it('undoes the augmentation of every answer', () => {
    const completions = plan.predictions.map(({ testIndex, augmentation }) =>
      answer(encoder.encode(augmentGrid(task.test[testIndex]!.output!, augmentation))),
    );
    for (const prediction of toPredictions(plan, completions, prompts)) {
      expect(prediction.grid).toEqual(task.test[prediction.testIndex]!.output);
      expect(prediction).toMatchObject({ logProb: -1.5, tokens: 3 });
    }
  });

  it('keeps what is no grid, was cut off or did not fit as null', () => {
    const good = encoder.encode([[1]]);
    const short = { ...plan, predictions: plan.predictions.slice(0, 3) };
    short.predictions[2] = { ...short.predictions[2]!, tokens: null };
    const predictions = toPredictions(short, [answer('nonsense'), answer(good, false)], prompts);
    expect(predictions.map(({ grid }) => grid)).toEqual([null, null, null]);
    expect(predictions.map(({ text }) => text)).toEqual(['nonsense', good, '']);
    expect(predictions[2]).toMatchObject({ logProb: -Infinity, tokens: 0 });
  });
});
