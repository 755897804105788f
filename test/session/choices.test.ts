/** Predictions that a model judges: alone, and against each other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { augmentTask } from '../../src/arc/augmentation.js';
import { loadTasks } from '../../src/arc/dataset.js';
import type { Grid, Task } from '../../src/arc/types.js';
import { infer } from '../../src/experiments/infer.js';
import { score } from '../../src/experiments/score.js';
import { getPromptKind } from '../../src/prompts/index.js';
import { planChoices, scoresOfChoices } from '../../src/session/choices.js';
import { openPrompts } from '../../src/session/prompts.js';
import { TaskViews } from '../../src/session/views.js';
import { prediction } from '../evaluation/example.js';
import { scoreOneByOne } from '../generation/one-by-one.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-choices-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const modelPath = writeTinyModel(join(folder, 'model'));
const withCode = Object.fromEntries(
  Object.entries(recolourTasks(2)).map(([id, task]) => [id, { ...task, code: 'all threes' }]),
);
const datasetPath = writeTasks(join(folder, 'tasks.json'), withCode);
const base = { modelPath, gridEncoder: 'MinimalGridEncoder()', maxSeqLen: 4096 };
const tasks = loadTasks(datasetPath);
const grids: Grid[] = [[[3, 3]], [[3], [4]], [[9]]];
const sets = [...tasks].map(([taskId, task]) => ({ taskId, testIndex: 0, task, grids }));
const views = { augmentations: 2, seed: 3, maxSeqLen: 4096 };
const inputPath = join(folder, 'predictions.json');
writeFileSync(
  inputPath,
  JSON.stringify(sets.flatMap(({ taskId }) => grids.map((grid) => prediction(taskId, 0, grid)))),
);

const withCandidates = (task: Task, ...candidates: Grid[]): Task => ({
  ...task,
  test: [{ ...task.test[0]!, candidates }],
});

/** log p(chosen) − log Σ p(possible). */
const among = (chosen: number, all: readonly number[]) =>
  chosen - Math.log(all.reduce((sum, logProb) => sum + Math.exp(logProb), 0));

/** The log-probabilities of answers to prompts about candidates under a view, each in a pass of its own. */
async function judge(kind: string, words: readonly string[], set: number, view: number, candidates: Grid[]) {
  const session = await openPrompts(base);
  const builder = session.builder(getPromptKind(kind));
  const { taskId, task } = sets[set]!;
  const shown = augmentTask(withCandidates(task, ...candidates), new TaskViews(3, taskId, task, {}).at(view));
  const prompt = builder.inference(shown, 0).tokens;
  const decoder = await session.loadDecoder();
  try {
    const { stopIds } = builder.tokenizer;
    const answered = words.map((word) => ({
      tokens: [...prompt, ...builder.answer(word)],
      answerStart: prompt.length,
    }));
    return await scoreOneByOne(decoder, answered, { stopIds });
  } finally {
    session.release(decoder);
  }
}

test('a prediction judged alone has the log-probability of "yes" among yes and no, under each view', async () => {
  const kind = 'verify-output-from-examples-v0';
  const { predictions, kinds } = await score({
    ...base,
    ...views,
    datasetPath,
    inputPath,
    promptVersion: kind,
  });
  expect(kinds[0]!.answers).toHaveLength(6);
  for (const [i, { scores, logProb }] of predictions!.entries()) {
    expect(scores).toHaveLength(2);
    expect(logProb).toBeCloseTo((scores![0]! + scores![1]!) / 2, 6);
    if (i > 3) continue;
    const all = await judge(kind, ['yes', 'no'], Math.floor(i / 3), 1, [grids[i % 3]!]);
    expect(scores![1]).toBeCloseTo(among(all[0]!, all), 4);
  }
});

test('compared predictions have the mean over their pairs, in both orders', async () => {
  const kind = 'select-output-from-examples-v0';
  const { predictions } = await score({ ...base, ...views, datasetPath, inputPath, promptVersion: kind });
  const values: number[] = [];
  for (const other of [1, 2]) {
    const first = await judge(kind, ['1', '2'], 0, 0, [grids[0]!, grids[other]!]);
    const last = await judge(kind, ['1', '2'], 0, 0, [grids[other]!, grids[0]!]);
    values.push(among(first[0]!, first), among(last[1]!, last));
  }
  expect(predictions![0]!.scores![0]).toBeCloseTo(values.reduce((a, b) => a + b) / 4, 4);
});

test('the plan has a prompt for each grid, or for each pair in both orders; one alone is certain', async () => {
  const session = await openPrompts(base);
  const plan = (kind: string, list: typeof sets) =>
    planChoices(list, session.builder(getPromptKind(kind)), views);
  expect(plan('verify-output-from-examples-v0', sets).requests).toHaveLength(2 * 2 * 3);
  expect(plan('select-output-from-examples-v0', sets).requests).toHaveLength(2 * 2 * 6);
  const alone = [{ ...sets[0]!, grids: [grids[0]!] }];
  const planned = plan('select-output-from-examples-v0', alone);
  expect([planned.requests.length, planned.judged, planned.tooLong]).toEqual([0, 2, 0]);
  expect(scoresOfChoices(alone, planned, [], true)[0]!.scores).toEqual([[0, 0]]);
});

test('what makes no sense is refused before a model is loaded', async () => {
  const verify = {
    ...base,
    datasetPath,
    promptVersion: 'verify-output-from-examples-v0',
    modelPath: 'nowhere',
  };
  await expect(score(verify)).rejects.toThrow('give predictions to judge with `inputPath`');
  await expect(score({ ...verify, promptVersion: 'code-from-examples-v0' })).rejects.toThrow(
    'asks for no grid',
  );
  const outputPath = join(folder, 'out.json');
  await expect(infer({ ...verify, outputPath })).rejects.toThrow(
    'asks for verify-output-from-examples; inference needs one that asks for output-from-examples or output-from-code',
  );
  const plain = writeTasks(join(folder, 'plain.json'), recolourTasks(1));
  const code = { ...verify, datasetPath: plain, outputPath, promptVersion: 'output-from-code-v0' };
  await expect(infer(code)).rejects.toThrow('task task0 has no code');
  const constrained = { ...base, datasetPath, inputPath, constrained: true };
  await expect(score({ ...constrained, promptVersion: 'verify-output-from-examples-v0' })).rejects.toThrow(
    '`constrained`: a judgement is no grid',
  );
});

test('outputs of code are predicted under one view: that of the code', async () => {
  const { predictions, withoutView } = await infer({
    ...base,
    datasetPath,
    outputPath: join(folder, 'of-code.json'),
    promptVersion: 'output-from-code-v0',
    predictionsPerTask: 3,
    temperature: 0,
    maxNewTokens: 4,
  });
  expect(predictions).toHaveLength(2);
  expect(withoutView).toBe(4);
  for (const { augmentation } of predictions)
    expect(augmentation.colorMap).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
