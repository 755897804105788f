/** Submissions that search: after the predictions, and with scores of all candidates under common views. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadTasks, saveDataset } from '../../src/arc/dataset.js';
import { generateTasks } from '../../src/arc/generate.js';
import { gridKey } from '../../src/arc/grid.js';
import type { Grid } from '../../src/arc/types.js';
import { loadPredictions } from '../../src/evaluation/files.js';
import { SELECTION_RULES } from '../../src/evaluation/selection.js';
import { validateSubmission } from '../../src/evaluation/submission.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { vote } from '../../src/evaluation/voting.js';
import { baseModelFolder } from '../../src/experiments/start.js';
import { openModel } from '../../src/session/index.js';
import { submitConfig, workerConfig } from '../../src/submit/options.js';
import type { Reply } from '../../src/submit/protocol.js';
import { reviewSubmission } from '../../src/submit/review.js';
import { type SubmitOptions, submit } from '../../src/submit/submit.js';
import { submitHandlers } from '../../src/submit/worker.js';
import { temporaryFolder } from '../training/temporary.js';
import { launch } from './launch.js';

let challengesPath = '';
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-submit-search-'));
  challengesPath = join(folder, 'tasks.json');
  // most of these rules are known to the base model
  const knobs = { maxSize: 3, minSize: 3, colors: 2, objects: 2 };
  saveDataset(challengesPath, generateTasks({ ...knobs, count: 3, seed: 5 }));
  return () => rmSync(folder, { recursive: true });
});

const promptVersion = 'output-from-examples-mini';
const base = { modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()', backend: 'wasm' };
const options = (more: Partial<SubmitOptions> = {}): SubmitOptions => ({
  ...{ ...base, promptVersion, challengesPath, outputDir: temporaryFolder(), recipe: 'search' },
  ...{ searchViews: 3, searchThreshold: 0.02, maxNewTokens: 40, batchSize: 4, fineTuneSteps: 0 },
  predictionsPerTask: 1,
  ...more,
});

const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
const names = ['submission.json', 'submission_task_results.json', 'failures.json'];
const valid = (folder: string) =>
  validateSubmission(JSON.parse(read(folder, 'submission.json')), loadTasks(challengesPath));
const pool = (folder: string) => loadPredictions(join(folder, 'submission_task_results.json'));
const named = (predictions: readonly Prediction[]) =>
  predictions
    .map(({ taskId, testIndex, augmentation, grid }) =>
      JSON.stringify([taskId, testIndex, augmentation, grid && gridKey(grid)]),
    )
    .sort();

test('it has what a session predicts, finds and scores, and selects from all of it', async () => {
  const outputDir = temporaryFolder();
  const { failures, unanswered } = await submit(options({ outputDir, predictionsPerTask: 2 }));
  expect({ failures, unanswered }).toEqual({ failures: [], unanswered: 0 });
  const found = pool(outputDir);

  using model = await openModel(base);
  const tasks = loadTasks(challengesPath);
  const common = { promptVersion, maxNewTokens: 40, batchSize: 4, constrained: true };
  const predicted = await model.infer(tasks, { ...common, predictionsPerTask: 2 });
  const searched = await model.search(tasks, { ...common, views: 3, threshold: 0.02 });
  const proposed = [...predicted.predictions, ...searched.predictions];
  const { predictions } = await model.score(tasks, {
    ...{ predictions: proposed, promptVersion, augmentations: 3, constrained: true },
  });
  // what both find in one view is one prediction
  expect(named(found)).toEqual([...new Set(named(predictions!))]);
  expect(found.length).toBeGreaterThan(3 * tasks.size);
  // every candidate is scored under the same views, whoever has found it
  expect(found.every(({ grid, scores }) => grid === null || scores?.length === 3)).toBe(true);
  const logProbs = (list: readonly Prediction[]) =>
    new Map(list.map((one) => [JSON.stringify([one.taskId, one.testIndex, one.grid]), one.logProb]));
  const expected = logProbs(predictions!);
  for (const [name, logProb] of logProbs(found)) expect(logProb).toBeCloseTo(expected.get(name)!, 3);

  const attempts = JSON.parse(read(outputDir, 'submission.json'));
  for (const [taskId, inputs] of vote(found)) {
    expect(attempts[taskId][0].attempt_1).toEqual(inputs[0]![0]);
  }
  const { scores } = reviewSubmission({ challengesPath, outputDir });
  expect(scores.map(({ rule }) => rule)).toEqual(SELECTION_RULES);
});

test('one process, two and four give the same bytes, with an adapter for each task', {
  timeout: 120_000,
}, async () => {
  const folders = [1, 2, 4].map((processes) => [processes, temporaryFolder()] as const);
  for (const [processes, outputDir] of folders) {
    const tuned = { fineTuneSteps: 2, lora: { r: 2 } };
    const { failures } = await submit(options({ ...tuned, outputDir, processes }));
    expect(failures).toEqual([]);
  }
  for (const name of names) {
    const [one, ...others] = folders.map(([, folder]) => read(folder, name));
    for (const other of others) expect(other).toBe(one);
  }
  expect(pool(folders[0]![1]).some(({ scores }) => scores !== undefined)).toBe(true);
});

test('ended by SIGKILL twice and continued: the same bytes as without', { timeout: 120_000 }, async () => {
  const flags = (folder: string, ...more: string[]) => [
    ...['submit', '--challenges', challengesPath, '--model_path', base.modelPath, '--output_dir', folder],
    ...['--prompt_version', promptVersion, '--grid_encoder', base.gridEncoder, '--backend', 'wasm'],
    ...['--recipe', 'search', '--search_views', '3', '--search_threshold', '0.02', '--max_new_tokens', '40'],
    ...[
      '--fine_tune_steps',
      '2',
      '--lora_r',
      '2',
      '--batch_size',
      '4',
      '--predictions_per_task',
      '1',
      ...more,
    ],
  ];
  const [whole, parts] = [temporaryFolder(), temporaryFolder()];
  expect((await launch(flags(whole)).ended).code).toBe(0);
  const partial = join(parts, 'submission.json.partial');
  const answers = () =>
    existsSync(partial) ? readFileSync(partial, 'utf8').split('"answer"').length - 1 : 0;
  // among the first predictions, and among the searches
  for (const [k, enough] of [2, 4].entries()) {
    const run = launch(flags(parts, '--processes', '2', ...(k > 0 ? ['--resume'] : [])));
    await vi.waitFor(() => expect(answers()).toBeGreaterThanOrEqual(enough), {
      timeout: 60_000,
      interval: 5,
    });
    run.child.kill('SIGKILL');
    await run.ended;
    valid(parts);
  }
  expect(existsSync(partial)).toBe(true);
  expect((await launch(flags(parts, '--resume')).ended).code).toBe(0);
  for (const name of names) expect(read(parts, name)).toBe(read(whole, name));
});

test('a limit ends the search, and what was predicted before is kept', async () => {
  const outputDir = temporaryFolder();
  const { unanswered, failures } = await submit(options({ outputDir, searchMaxForwardTokens: 1 }));
  expect({ unanswered, failures }).toEqual({ unanswered: 0, failures: [] });
  const reasons = pool(outputDir).flatMap(({ reason }) => reason ?? []);
  expect(new Set(reasons)).toEqual(new Set(['the search ended at a limit']));
  // the candidates that there are have their scores
  const grids = pool(outputDir).filter(({ grid }) => grid !== null);
  expect(grids.length).toBeGreaterThanOrEqual(3);
  expect(grids.every(({ scores }) => scores?.length === 3)).toBe(true);
});

test('a process ends a search early enough to score what there is in its time', async () => {
  const handlers = submitHandlers();
  const replies: Reply[] = [];
  const reply = (message: Reply) => replies.push(message);
  const config = workerConfig(submitConfig(options()));
  await handlers.open({ type: 'open', config }, reply);
  await handlers.load({ type: 'load', adapterPath: null }, reply);
  const known: Grid[] = [[[1, 2, 3]]];
  const items = [...loadTasks(challengesPath).keys()].map((taskId) => ({
    ...{ taskId, testIndex: 0, i: 1, search: { known } },
  }));
  const ask = async (seconds: number) => {
    replies.length = 0;
    await handlers.predict({ type: 'predict', items, seconds }, reply);
    return replies.flatMap((message) => (message.type === 'answer' ? [message.answer!] : []));
  };
  const hasty = await ask(0);
  expect(hasty.flatMap(({ predictions }) => predictions.map(({ reason }) => reason))).toEqual(
    items.map(() => 'the search ended at a limit'),
  );
  expect(hasty.map(({ scored }) => scored!.map(({ grid }) => grid))).toEqual(items.map(() => known));
  const patient = await ask(Number.POSITIVE_INFINITY);
  expect(patient.flatMap(({ scored }) => scored!).length).toBeGreaterThan(2 * items.length);
  // without time there is one view, the plain task; else all of them
  const viewCounts = (answers: typeof hasty) => answers.map(({ scored }) => scored![0]!.scores.length);
  expect(viewCounts(hasty)).toEqual(items.map(() => 1));
  expect(Math.min(...viewCounts(patient))).toBeGreaterThan(1);
  // a score does not depend on the candidates beside it
  const scoresOfKnown = (answers: typeof hasty) => answers.map(({ scored }) => scored![0]!.scores[0]!);
  for (const [i, score] of scoresOfKnown(patient).entries()) {
    expect(score).toBeCloseTo(scoresOfKnown(hasty)[i]!, 3);
  }
  expect(replies.some(({ type }) => type === 'alive')).toBe(true);
});

describe('mistakes are one line before anything is written', () => {
  test.each<[Partial<SubmitOptions>, string]>([
    [
      { recipe: 'vote', method: 'views+mean' },
      '`method`: found "views+mean"; it compares scores under common views, which only a search makes: set `searchViews`',
    ],
    [
      { recipe: 'vote', searchThreshold: 0.3 },
      '`searchThreshold`: it needs `searchViews`, the views of the search',
    ],
    [{ searchThreshold: 0 }, '`searchThreshold`: expected a number above 0 and at most 1, found 0'],
  ])('%j', async (more, message) => {
    const outputDir = join(temporaryFolder(), 'out');
    const { searchViews, searchThreshold, ...rest } = options();
    const given = more.recipe === 'vote' ? rest : { ...rest, searchViews, searchThreshold };
    await expect(submit({ ...given, ...more, outputDir })).rejects.toThrow(message);
    expect(existsSync(outputDir)).toBe(false);
  });
});
