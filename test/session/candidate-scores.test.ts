/** Candidates scored under common views, against each of them scored alone. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { augmentTask } from '../../src/arc/augmentation.js';
import { loadTasks } from '../../src/arc/dataset.js';
import type { Grid } from '../../src/arc/types.js';
import { loadPredictions } from '../../src/evaluation/files.js';
import { mean } from '../../src/evaluation/metrics.js';
import { getPromptKind } from '../../src/prompts/index.js';
import { planScores, scoreUnderViews } from '../../src/session/candidate-scores.js';
import { openModel } from '../../src/session/index.js';
import { openPrompts } from '../../src/session/prompts.js';
import { TaskViews } from '../../src/session/views.js';
import { prediction } from '../evaluation/example.js';
import { scoreOneByOne } from '../generation/one-by-one.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const kind = 'output-from-examples-mini';
const folder = mkdtempSync(join(tmpdir(), 'arclab-scores-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const modelPath = writeTinyModel(join(folder, 'model'));
const datasetPath = writeTasks(join(folder, 'tasks.json'), recolourTasks(3));
const base = { modelPath, gridEncoder: 'MinimalGridEncoder()', maxSeqLen: 512 };
const tasks = loadTasks(datasetPath);
/** The solution, it with another last cell, and a column that has nothing of it. */
const sets = [...tasks].map(([taskId, task]) => {
  const solution = task.test[0]!.output!;
  const other = solution.map((row, i) =>
    row.map((cell, j) => (i === solution.length - 1 && j === row.length - 1 ? (cell + 1) % 10 : cell)),
  );
  return { taskId, testIndex: 0, task, grids: [solution, other, [[1], [2], [3]]] as Grid[] };
});
const views = { augmentations: 4, seed: 3, maxSeqLen: 512 };
const predictions = sets.flatMap(({ taskId, testIndex, grids }) => [
  ...[...grids, grids[0]!].map((grid) => prediction(taskId, testIndex, grid)),
  prediction(taskId, testIndex, null),
]);

describe('the plan', () => {
  test('has one prompt for each view of a test input, with an answer for each grid', async () => {
    const builder = (await openPrompts(base)).builder(getPromptKind(kind));
    const { requests, owners, tooLong, withoutView } = planScores(sets, builder, views);
    expect(requests).toHaveLength(sets.length * 4);
    expect(requests.map(({ answers }) => answers.length)).toEqual(requests.map(() => 3));
    expect(owners.flat()).toHaveLength(sets.length * 4 * 3);
    expect([tooLong, withoutView]).toEqual([0, 0]);
    // the second view of the first task, from its definition
    const { taskId, task } = sets[0]!;
    const augmented = augmentTask(task, new TaskViews(3, taskId, task, {}).at(1));
    const { tokens, answerStart } = builder.training(augmented, 0);
    expect(requests[1]!.prompt).toEqual(tokens.slice(0, answerStart));
    expect(requests[1]!.answers[0]).toEqual(tokens.slice(answerStart));
    expect(owners[1]).toEqual([0, 1, 2].map((grid) => ({ set: 0, grid, view: 1 })));
  });

  test('leaves train samples out for an answer that does not fit, as for it alone', async () => {
    const builder = (await openPrompts(base)).builder(getPromptKind(kind));
    const { task } = sets[0]!;
    const large: Grid = Array.from({ length: 4 }, () => new Array<number>(4).fill(1));
    const set = { ...sets[0]!, grids: [...sets[0]!.grids, large] };
    const length = (grid: Grid, train = task.train) =>
      builder.inference({ ...task, train }, 0).tokens.length + builder.answer(grid).length;
    const one = { augmentations: 1, seed: 3 };
    // the small ones just fit, the large one with fewer samples
    const maxSeqLen = Math.max(...sets[0]!.grids.map((grid) => length(grid)));
    const { requests, owners } = planScores([set], builder, { ...one, maxSeqLen });
    expect(owners).toEqual([
      [0, 1, 2].map((grid) => ({ set: 0, grid, view: 0 })),
      [{ set: 0, grid: 3, view: 0 }],
    ]);
    expect(requests[1]!.prompt.length + requests[1]!.answers[0]!.length).toBeLessThanOrEqual(maxSeqLen);
    // with a single sample it is one token too long
    const tooShort = length(large, task.train.slice(0, 1)) - 1;
    expect(planScores([set], builder, { ...one, maxSeqLen: tooShort }).tooLong).toBeGreaterThan(0);
  });
});

test('the scores are those of each grid under each view alone', async () => {
  using model = await openModel(base);
  const builder = (await openPrompts(base)).builder(getPromptKind(kind));
  const found = await scoreUnderViews(model.decoder, builder, sets, { views });
  const { stopIds } = builder.tokenizer;
  for (const [i, { taskId, task, grids }] of sets.entries()) {
    const all = new TaskViews(views.seed, taskId, task, {});
    const alone = grids.flatMap((output) =>
      Array.from({ length: 4 }, (_, view) => {
        const answered = { ...task, test: [{ ...task.test[0]!, output }] };
        return builder.training(augmentTask(answered, all.at(view)), 0);
      }),
    );
    const expected = await scoreOneByOne(model.decoder, alone, { stopIds });
    for (const [j, score] of found[i]!.scores.flat().entries()) {
      expect(Math.abs(score! - expected[j]!)).toBeLessThan(1e-5 + 1e-6 * Math.abs(expected[j]!));
    }
  }
}, 60_000);

test('predictions get the scores of their grids, and the mean as their log-probability', async () => {
  using model = await openModel(base);
  const outputPath = join(folder, 'scored.json');
  const options = { promptVersion: kind, augmentations: 4, seed: 3, predictions };
  const result = await model.score(datasetPath, { ...options, outputPath });
  expect(result.normalisedOver).toBe('all tokens');
  const builder = (await openPrompts(base)).builder(getPromptKind(kind));
  const found = await scoreUnderViews(model.decoder, builder, sets, { views });
  for (const [i, { grid, scores, logProb }] of result.predictions!.entries()) {
    if (grid === null) {
      expect(scores).toBeUndefined();
      expect(logProb).toBe(-1);
      continue;
    }
    expect(scores).toEqual(found[Math.floor(i / 5)]!.scores[(i % 5) % 3]);
    expect(logProb).toBeCloseTo(mean(scores as number[]), 10);
  }
  expect(loadPredictions(outputPath)).toEqual(result.predictions);
  // with the grammar what it forces counts nothing, and no answer is less likely
  const allowed = await model.score(datasetPath, { ...options, constrained: true });
  expect(allowed.normalisedOver).toBe('allowed tokens');
  for (const [i, { grid, logProb }] of allowed.predictions!.entries()) {
    if (grid !== null) expect(logProb).toBeGreaterThan(result.predictions![i]!.logProb);
  }
}, 60_000);

test('a run that was stopped continues with what it has kept, to the same bytes', async () => {
  using model = await openModel(base);
  // groups of a few prompts each
  const options = { promptVersion: kind, augmentations: 8, maxTokensPerBatch: 64, predictions };
  const whole = join(folder, 'whole.json');
  await model.score(datasetPath, { ...options, outputPath: whole });
  const outputPath = join(folder, 'stopped.json');
  const stop = new AbortController();
  const stopped = model.score(datasetPath, {
    ...options,
    outputPath,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'progress' && event.finished > event.total / 2) stop.abort(new Error('stop'));
    },
  });
  await expect(stopped).rejects.toThrow(/stopped: \d+ of 72 answers are kept/);
  const notes: string[] = [];
  await model.score(datasetPath, {
    ...options,
    outputPath,
    onEvent: (event) => {
      if (event.type === 'note') notes.push(event.text);
    },
  });
  expect(notes.join()).toMatch(/continuing: \d+ of 72 answers are scored already/);
  expect(readFileSync(outputPath, 'utf8')).toBe(readFileSync(whole, 'utf8'));
}, 60_000);
