/** Flows whose tasks, data sets and results are values: they give what they give for files. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset, loadTasks, saveDataset } from '../../src/arc/dataset.js';
import { loadResults, saveResults, taskResultsPath } from '../../src/evaluation/files.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { infer } from '../../src/experiments/infer.js';
import { testTimeFineTune } from '../../src/experiments/test-time-fine-tune.js';
import { type EvaluateOptions, evaluate, studyPredictions } from '../../src/studies/evaluate.js';
import { joinPredictions, joinResults } from '../../src/studies/join.js';
import { voteOnPredictions } from '../../src/studies/vote.js';
import { A, B0, B1, prediction, TASKS } from '../evaluation/example.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const predictions = [
  prediction('a', 0, [[1]], -3),
  prediction('a', 0, A, -1),
  prediction('a', 0, A, -2),
  prediction('b', 0, B0),
  prediction('b', 1, null),
  prediction('b', 1, B1),
];
const dataset = new Map([...TASKS].map(([id, task]) => [id, [task]]));

function written() {
  const folder = temporaryFolder();
  const datasetPath = join(folder, 'tasks.json');
  saveDataset(datasetPath, dataset);
  const attempts = join(folder, 'inference.json');
  saveResults(attempts, predictions);
  return { folder, datasetPath, attempts, details: taskResultsPath(attempts) };
}

test('predictions and tasks are evaluated, studied and voted on as their files are', () => {
  const { folder, datasetPath, details, attempts } = written();
  for (const tasks of [TASKS, dataset, datasetPath]) {
    const found = evaluate({ predictions, tasks });
    expect({ ...found, source: details }).toEqual(evaluate({ inferencePath: details, datasetPath }));
    expect(found.votes).toEqual({ vote_1: 1, vote_2: 1 });
    expect(studyPredictions({ predictions, tasks, repeats: 2 })).toEqual(
      studyPredictions({ inferencePath: details, datasetPath, repeats: 2 }),
    );
  }
  const { answers } = loadResults(attempts);
  expect({ ...evaluate({ predictions: answers, tasks: TASKS }), source: attempts }).toEqual(
    evaluate({ inferencePath: attempts, datasetPath }),
  );
  const before = readdirSync(folder);
  const { outputPath, ...voted } = voteOnPredictions({ inputPath: details, datasetPath, n: 1 });
  expect(voted).toEqual(voteOnPredictions({ predictions, tasks: TASKS, n: 1 }));
  // of the two votes, the one on values wrote nothing
  expect(readdirSync(folder).filter((name) => !before.includes(name))).toHaveLength(1);
  expect(existsSync(outputPath!)).toBe(true);
});

test('lists of predictions are joined as their files are', () => {
  const { folder, details, attempts } = written();
  const outputPath = join(folder, 'joined.json');
  const { detailsPath } = joinResults({ inputPaths: [details, attempts], outputPath });
  const second = predictions.map((p) => ({
    ...prediction(p.taskId, p.testIndex, p.grid),
    logProb: -Infinity,
  }));
  const places = (list: readonly { taskId: string; testIndex: number; logProb: number }[]) =>
    list.map(({ taskId, testIndex, logProb }) => [taskId, testIndex, logProb]);
  expect(places(joinPredictions([predictions, second]))).toEqual(
    places(loadResults(detailsPath).predictions!),
  );
});

test('mistakes are said in the words of the caller', () => {
  const { datasetPath, details } = written();
  const both = { tasks: TASKS, datasetPath, inferencePath: details };
  expect(() => evaluate(both)).toThrow('`tasks`: it stands in place of `datasetPath`; give one of the two');
  expect(() => evaluate({ predictions } as EvaluateOptions)).toThrow('`datasetPath`: it is missing');
  const unsolved = new Map([...TASKS].map(([id, task]) => [id, { ...task, test: [{ input: [[0]] }] }]));
  expect(() => evaluate({ predictions, tasks: unsolved })).toThrow(
    'the tasks: the output of test input 0 of task a is not known; give a data set that includes the outputs',
  );
  expect(() => evaluate({ predictions: [], tasks: TASKS })).toThrow('the predictions: has no answers');
});

/** Everything that training on equal samples makes equal. */
const weightsIn = (checkpoint: string) =>
  ['adapter_model.safetensors', 'optimizer.safetensors'].map((name) => readFileSync(join(checkpoint, name)));

test.each([0, 2])('a model learns the same from values as from files, with %i threads', async (workers) => {
  const folder = temporaryFolder();
  const modelPath = writeTinyModel(join(folder, 'model'));
  const datasetPath = writeTasks(join(folder, 'tasks.json'), recolourTasks(4));
  const kind = 'output-from-examples-mini';
  const options = {
    ...{ modelPath, gridEncoder: 'MinimalGridEncoder()', maxSeqLen: 512, lora: { r: 2 } },
    ...{ maxSteps: 3, batchSize: 2, workers },
  };
  const fromFile = await fineTune({
    ...options,
    trainDatasets: [[datasetPath, kind]],
    outputDir: join(folder, 'files'),
  });
  const data = loadDataset(datasetPath);
  const values = { ...options, trainDatasets: [[data, kind]] as const, outputDir: join(folder, 'values') };
  const { checkpoint } = await fineTune(values);
  expect(weightsIn(checkpoint)).toEqual(weightsIn(fromFile.checkpoint));
  if (workers > 0) return;

  // what is continued has to be of the same data
  const other = new Map([...data].slice(1));
  await expect(fineTune({ ...values, trainDatasets: [[other, kind]], maxSteps: 4 })).rejects.toThrow(
    'cannot continue it: data set 1 has changed',
  );
  const prompts = { ...options, promptVersion: kind, maxSteps: 1 };
  for (const name of ['by-file', 'by-value']) mkdirSync(join(folder, name));
  const learnt = await testTimeFineTune({ ...prompts, datasetPath, outputDir: join(folder, 'by-file') });
  const same = await testTimeFineTune({ ...prompts, tasks: data, outputDir: join(folder, 'by-value') });
  expect(weightsIn(same.checkpoint)).toEqual(weightsIn(learnt.checkpoint));

  const { maxSeqLen, gridEncoder } = options;
  const inference = { modelPath, gridEncoder, maxSeqLen, promptVersion: kind, maxNewTokens: 8 };
  const asked = { ...inference, adapterPath: checkpoint, predictionsPerTask: 2, nTasks: 2 };
  const read = await infer({ ...asked, datasetPath, outputPath: join(folder, 'a.json') });
  const given = await infer({
    ...asked,
    tasks: loadTasks(datasetPath),
    outputPath: join(folder, 'b.json'),
  });
  expect(given.predictions).toEqual(read.predictions);
});
