/** The search as a flow, with the small base model: what it writes, keeps and refuses. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { augmentGrid, augmentTask } from '../../src/arc/augmentation.js';
import { loadTasks, saveDataset } from '../../src/arc/dataset.js';
import { generateTasks } from '../../src/arc/generate.js';
import { gridKey } from '../../src/arc/grid.js';
import type { Task } from '../../src/arc/types.js';
import { StoppedError, UserError } from '../../src/common/errors.js';
import { loadPredictions, taskResultsPath } from '../../src/evaluation/files.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { search } from '../../src/experiments/search.js';
import { baseModelFolder } from '../../src/experiments/start.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { getPromptKind, loadTokenizer, PromptBuilder, parseGridEncoder } from '../../src/prompts/index.js';
import { type ModelSession, openModel } from '../../src/session/index.js';
import * as tf from '../../src/tensors/tf.js';

const gridEncoder = 'MinimalGridEncoder()';
const promptVersion = 'output-from-examples-mini';
const base = { modelPath: baseModelFolder(), gridEncoder, backend: 'wasm' };
const asked = { promptVersion, views: 3, threshold: 0.02, maxNewTokens: 40, batchSize: 4 };
const folder = mkdtempSync(join(tmpdir(), 'arclab-search-'));
const datasetPath = join(folder, 'tasks.json');
let tasks: ReadonlyMap<string, Task>;
let model: ModelSession;

beforeAll(async () => {
  // most of these rules are known to the base model
  const knobs = { maxSize: 3, minSize: 3, colors: 2, objects: 2 };
  saveDataset(datasetPath, generateTasks({ ...knobs, count: 3, seed: 5 }));
  tasks = loadTasks(datasetPath);
  model = await openModel(base);
});
afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

const named = (predictions: readonly Prediction[]) =>
  predictions.map(({ taskId, augmentation, grid }) => [taskId, augmentation, grid]);

/** The log-probability of a grid under the view of its prediction, from one forward pass without a cache. */
function scoreOf({ taskId, testIndex, grid, augmentation }: Prediction): number {
  const builder = new PromptBuilder({
    tokenizer: loadTokenizer(base.modelPath),
    encoder: parseGridEncoder(gridEncoder),
    kind: getPromptKind(promptVersion),
  });
  const view = augmentTask(tasks.get(taskId)!, augmentation);
  const test = view.test.map((sample, i) =>
    i === testIndex ? { ...sample, output: augmentGrid(grid!, augmentation) } : sample,
  );
  const { tokens, answerStart } = builder.training({ ...view, test }, testIndex);
  return tf.tidy(() => {
    const hidden = model.decoder.forward(packSequences([tokens]));
    const rows = Array.from({ length: tokens.length - answerStart }, (_, i) => answerStart + i - 1);
    const selected = tf.gather(hidden, tf.tensor1d(rows, 'int32')) as tf.Tensor2D;
    const labels = Int32Array.from(tokens.slice(answerStart));
    return tf.sum(model.decoder.labelLogProbs(selected, labels)).dataSync()[0]!;
  });
}

test('has every grid that a view finds likely enough, once, with its log-probability there', async () => {
  const { predictions, progress, incomplete } = await model.search(tasks, asked);
  const found = predictions.filter(({ grid }) => grid !== null);
  expect(found.length).toBeGreaterThan(tasks.size);
  for (const prediction of found) {
    expect(prediction.logProb).toBeGreaterThanOrEqual(Math.log(asked.threshold));
    expect(Math.abs(prediction.logProb - scoreOf(prediction))).toBeLessThan(1e-4);
  }
  const keys = found.map(({ taskId, augmentation, grid }) =>
    JSON.stringify([taskId, augmentation, gridKey(grid!)]),
  );
  expect(new Set(keys).size).toBe(keys.length);
  expect([incomplete, progress!.finished]).toEqual([0, 3 * tasks.size]);
  // greedy decoding writes nothing likely that the search has not found
  const greedy = await model.infer(tasks, { promptVersion, predictionsPerTask: 3, maxNewTokens: 40 });
  const likely = greedy.predictions.filter(
    ({ grid, logProb }) => grid !== null && logProb >= Math.log(asked.threshold),
  );
  expect(likely.length).toBeGreaterThan(0);
  expect(named(found)).toEqual(expect.arrayContaining(named(likely)));
});

test('depends neither on the batch size nor on the company of other tasks, with a grammar or without', async () => {
  for (const constrained of [false, true]) {
    const options = { ...asked, constrained, threshold: constrained ? 0.01 : asked.threshold };
    const whole = await model.search(tasks, options);
    expect(named((await model.search(tasks, { ...options, batchSize: 1 })).predictions)).toEqual(
      named(whole.predictions),
    );
    const [id, task] = [...tasks][1]!;
    const alone = await model.search(new Map([[id, task]]), options);
    expect(named(alone.predictions)).toEqual(named(whole.predictions.filter(({ taskId }) => taskId === id)));
  }
});

test('goes on at a lower threshold, and refuses to go on from something else', async () => {
  const first = await model.search(tasks, { ...asked, threshold: 0.3 });
  const more = await model.search(tasks, { ...asked, before: first.state });
  const atOnce = await model.search(tasks, asked);
  expect(named(more.predictions)).toEqual(named(atOnce.predictions));
  expect(more.predictions.length).toBeGreaterThan(first.predictions.length);
  const again = await model.search(tasks, { ...asked, before: more.state });
  expect(again.progress).toBeNull();
  expect(again.predictions).toEqual(more.predictions);
  const refused = (options: object) => model.search(tasks, { ...asked, before: first.state, ...options });
  await expect(refused({ threshold: 0.5 })).rejects.toThrow(
    '`threshold: 0.5`: expected at most 0.3, where the search before this one ended',
  );
  await expect(refused({ constrained: true })).rejects.toThrow('before: expected a search with the same');
});

test('ends at its limits with what it has', async () => {
  const { predictions } = await model.search(tasks, { ...asked, maxCandidates: 1 });
  const whole = await model.search(tasks, asked);
  expect(predictions.length).toBeLessThan(whole.predictions.length);
  const notes: string[] = [];
  const nothing = await model.search(tasks, {
    ...{ ...asked, maxForwardTokens: 1 },
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(nothing.incomplete).toBeGreaterThan(0);
  expect(notes).toEqual([`${nothing.incomplete} of 9 prompts were left at a limit`]);
  // every test input is there, so that votes and metrics see it
  expect(new Set(nothing.predictions.map(({ taskId }) => taskId)).size).toBe(tasks.size);
});

test('keeps whole groups when it is stopped, and ends with the same bytes', async () => {
  const options = { ...base, ...asked, datasetPath, batchSize: 1 };
  const contents = (path: string) => [path, taskResultsPath(path)].map((name) => readFileSync(name, 'utf8'));
  const whole = join(folder, 'whole.json');
  const result = await search({ ...options, outputPath: whole });
  expect(loadPredictions(taskResultsPath(whole))).toEqual(result.predictions);
  const outputPath = join(folder, 'stopped.json');
  const stopping = new AbortController();
  const stopped = search({
    ...{ ...options, outputPath, signal: stopping.signal },
    onEvent: (event) => event.type === 'progress' && event.finished >= 4 && stopping.abort(),
  });
  await expect(stopped).rejects.toThrow(
    new StoppedError('stopped: 3 of 9 prompts are kept, and the same command continues'),
  );
  const notes: string[] = [];
  await search({
    ...{ ...options, outputPath },
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(notes).toEqual(['continuing: 3 of 9 prompts are there already']);
  expect(contents(outputPath)).toEqual(contents(whole));
  expect(existsSync(`${outputPath}.partial`)).toBe(false);
});

test('refuses what it cannot do, in one line and before a model is loaded', async () => {
  const options = { ...base, ...asked, datasetPath, outputPath: join(folder, 'refused.json') };
  for (const [wrong, message] of [
    [{ threshold: 0 }, /threshold.*a number above 0 and at most 1, found 0/],
    [{ threshold: 1.5 }, /threshold.*a number above 0 and at most 1, found 1.5/],
    [{ views: 0 }, /views.*an integer of at least 1/],
    [{ maxSeqLen: 30 }, /none of the 9 prompts of .*tasks\.json fits with its answer/],
    [{ promptVersion: 'input-from-inputs-mini' }, /asks for input-from-inputs/],
  ] as const) {
    const error = await search({ ...options, ...wrong }).catch((reason) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  }
});
