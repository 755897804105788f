/** What the demonstration asks its model, before and after it has learnt each task by itself. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateTasks } from '../../src/arc/generate.js';
import type { Dataset } from '../../src/arc/types.js';
import { contributions } from '../../src/evaluation/contributions.js';
import type { Answers } from '../../src/evaluation/types.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { answerTasks, answerTunedTasks } from '../../src/experiments/start-answers.js';
import { type ModelSession, openModel } from '../../src/session/index.js';

const promptVersion = 'output-from-examples-mini';
const options = {
  promptVersion,
  predictionsPerTask: 2,
  views: 2,
  threshold: 0.05,
  maxNewTokens: 24,
  seed: 3,
};
const tuning = { steps: 4, learningRate: 0.01, maxSeqLen: 512 };

let model: ModelSession;
let tasks: Dataset;
beforeAll(async () => {
  model = await openModel({
    modelPath: baseModelFolder(),
    gridEncoder: 'MinimalGridEncoder()',
    backend: 'wasm',
  });
  // rules that the base knows
  const generators = ['recolor-map', 'flood-from-seed'];
  tasks = generateTasks({ ...startKnobs, generators, count: 2, seed: 7 });
});
afterAll(() => model.dispose());

test('each task is asked about by the model that has learnt it, which is afterwards as it was', {
  timeout: 180_000,
}, async () => {
  const before = await answerTasks(model, tasks, options, {});
  const finished: number[] = [];
  const tuned = await answerTunedTasks(model, tasks, tuning, options, {
    onEvent: (event) => event.type === 'progress' && finished.push(event.finished),
  });
  expect(finished).toEqual([0, 1, 2]);
  expect(contributions([...before.parts, ...tuned], tasks).slice(-3)).toMatchObject([
    { name: 'votes, tuned per task', against: 'votes' },
    { name: 'votes and scores, tuned per task', against: 'votes and scores' },
    { name: 'all together, tuned per task', against: 'all together' },
  ]);
  expect(model.adapter).toBe(null);
  const answersBy = (parts: readonly { name: string; answers: Answers }[], name: string) =>
    parts.find((part) => part.name === name)!.answers;
  let attempted = 0;
  for (const [taskId, variants] of tasks) {
    await model.fineTuneOnTask([taskId, variants[0]!], {
      start: null,
      maxSteps: tuning.steps,
      learningRate: tuning.learningRate,
      maxSeqLen: tuning.maxSeqLen,
      batchSize: 1,
      lossOn: 'every-answer',
      lrSchedulerType: 'cosine',
      promptVersion,
      seed: options.seed,
    });
    const alone = await answerTasks(model, new Map([[taskId, variants]]), options, {});
    for (const { name, answers } of tuned) {
      const [way] = name.split(', tuned');
      const attempts = answersBy(alone.parts, way!).get(taskId);
      attempted += attempts![0]!.length;
      expect(answers.get(taskId)).toEqual(attempts);
    }
    await model.useAdapter(null);
  }
  expect(attempted).toBeGreaterThan(2);
  // it has learnt something, for better or worse
  const all = (parts: readonly { answers: Answers }[]) => [...parts.at(-1)!.answers];
  expect(all(tuned)).not.toEqual(all(before.parts));
  expect((await answerTasks(model, tasks, options, {})).answers).toEqual(before.answers);
});

test('a signal ends it, and the model is as it was', async () => {
  await model.useAdapter(null);
  const stop = new AbortController();
  const onEvent = () => stop.abort();
  await expect(
    answerTunedTasks(model, tasks, tuning, options, { onEvent, signal: stop.signal }),
  ).rejects.toThrow('stopped while learning a task');
  expect(model.adapter).toBe(null);
});
