import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { Contribution } from '../../src/evaluation/contributions.js';
import { spreadOf } from '../../src/evaluation/spread.js';
import { inferEvaluate } from '../../src/experiments/infer-evaluate.js';
import { type StartOptions, start } from '../../src/experiments/start.js';
import { inferEvaluateSeeds, startSeeds } from '../../src/studies/seeds.js';
import { temperatureStudy } from '../../src/studies/temperature-study.js';
import { catchPrinted } from '../cli/printed.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

vi.mock('../../src/experiments/start.js', async (original) => ({
  ...(await original<typeof import('../../src/experiments/start.js')>()),
  start: vi.fn(),
}));

let folder: string;
let datasetPath: string;
let checkpoint: string;
beforeEach(() => {
  folder = temporaryFolder();
  datasetPath = writeTasks(join(folder, 'tasks.json'), recolourTasks(3));
  checkpoint = writeTinyModel(join(folder, 'model'));
  const config = { modelPath: checkpoint, gridEncoder: 'MinimalGridEncoder()' };
  writeFileSync(join(checkpoint, 'cfg.json'), JSON.stringify(config));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const inference = () => ({
  checkpoint,
  datasetPath,
  promptVersion: 'output-from-examples-mini',
  predictionsPerTask: 2,
  maxNewTokens: 8,
  temperature: 1,
  constrained: true,
});

test('infer-evaluate with several seeds is its runs one by one, with mean and standard deviation', async () => {
  const outputPath = join(folder, 'all.json');
  const { seeds, runs, metrics, votedMetrics } = await inferEvaluateSeeds({
    ...inference(),
    outputPath,
    seeds: 2,
  });
  expect(seeds).toEqual([7, 107]);
  expect(runs.map((run) => run.outputPath)).toEqual([outputPath, join(folder, 'all_seed107.json')]);
  const single = await Promise.all(
    seeds.map((seed) => inferEvaluate({ ...inference(), seed, outputPath: join(folder, `one${seed}.json`) })),
  );
  expect(runs.map((run) => run.predictions)).toEqual(single.map((run) => run.predictions));
  expect(runs[0]!.predictions).not.toEqual(runs[1]!.predictions);
  expect(metrics.correct_pixels).toEqual(spreadOf(single.map((run) => run.metrics.correct_pixels)));
  expect(votedMetrics.vote_2).toEqual(spreadOf(single.map((run) => run.votedMetrics.vote_2!)));

  const printed = catchPrinted();
  const flags = ['--dataset_path', datasetPath, '--prompt_version', 'output-from-examples-mini'];
  const few = ['--predictions_per_task', '1', '--max_new_tokens', '4', '--seeds', '2'];
  expect(await main(['infer-evaluate', checkpoint, ...flags, ...few])).toBe(0);
  expect(printed.text).toMatch(
    /2 seeds \(7, 107\), mean ± standard deviation\npredictions: accuracy: 0\.0 ± 0\.0%/,
  );
  expect(await main(['infer-evaluate', checkpoint, ...flags, '--seeds', '0'])).toBe(2);
});

test('temperatures are compared with the first, over tasks and seeds', async () => {
  const { checkpoint: modelPath, temperature: _, ...rest } = inference();
  const outputDir = join(folder, 'study');
  const options = { ...rest, modelPath, gridEncoder: 'MinimalGridEncoder()', outputDir };
  const rows = await temperatureStudy({ ...options, temperatures: [0.5, 1], seeds: 2 });
  expect(rows.map(({ temperature }) => temperature)).toEqual([0.5, 1]);
  expect(rows[0]!.change).toBe('');
  expect(rows[1]!.change).toMatch(/^[-+]?\d+\.\d \[-?\d+\.\d, -?\d+\.\d\]$/);
  expect(existsSync(join(outputDir, 'inference_t1_seed107.json'))).toBe(true);
  const [one] = await temperatureStudy({ ...options, outputDir: `${outputDir}-1`, temperatures: [0.5] });
  const [other] = await temperatureStudy({
    ...options,
    outputDir: `${outputDir}-2`,
    temperatures: [0.5],
    seed: 107,
  });
  const mean = ((one!.correct_pixels as number) + (other!.correct_pixels as number)) / 2;
  expect(rows[0]!.correct_pixels).toBeCloseTo(mean, 12);
});

test('start with several seeds has a folder for each, and an interval over the seeds', async () => {
  const after = [0.5, 0.6, 0.7];
  let run = 0;
  // of two tasks one attempt solves one in every run, the scores both in the first run, and one in the others
  const partsOf = (of: number): Contribution[] => [
    { name: 'votes', vote_1: 0.5, vote_2: 0.5, solved: [1, 0] },
    {
      name: 'scores',
      vote_1: 0.5,
      vote_2: of === 0 ? 1 : 0.5,
      solved: of === 0 ? [1, 1] : [1, 0],
      against: 'votes',
    },
  ];
  vi.mocked(start).mockImplementation(async (options: StartOptions = {}) => ({
    before: { accuracy: 0.1, vote_2: 0.2 },
    after: { accuracy: 0.4, vote_2: after[run]! },
    parts: partsOf(run++),
    reportPath: join(options.outputDir!, 'report.html'),
    submissionPath: join(options.outputDir!, 'submission.json'),
    seconds: 1,
  }));
  const outputDir = join(folder, 'start');
  const result = await startSeeds({ outputDir, seeds: 3, seed: 1 });
  expect(result.runs.map(({ reportPath }) => reportPath)).toEqual(
    [1, 101, 201].map((seed) => join(outputDir, `seed-${seed}`, 'report.html')),
  );
  expect(result.after.vote_2).toEqual(spreadOf(after));
  // Student's t of two degrees of freedom: 4.303 standard errors of 0.1 / √3
  const { difference, low, high } = result.change.vote_2!;
  expect(difference).toBeCloseTo(0.4, 12);
  expect(low).toBeCloseTo(0.4 - (4.303 * 0.1) / Math.sqrt(3), 1);
  expect(high).toBeCloseTo(0.4 + (4.303 * 0.1) / Math.sqrt(3), 1);
  const gain = { difference: expect.closeTo(1 / 6, 12) };
  expect(result.parts).toMatchObject([
    { name: 'votes', vote_2: spreadOf([0.5]) },
    { name: 'scores', vote_2: spreadOf([1, 0.5, 0.5]), against: 'votes', gain },
  ]);
  expect(JSON.parse(readFileSync(join(outputDir, 'seeds.json'), 'utf8')).runs[2]).toEqual({
    seed: 201,
    before: { accuracy: 0.1, vote_2: 0.2 },
    after: { accuracy: 0.4, vote_2: 0.7 },
  });
  run = 0;
  const printed = catchPrinted();
  expect(await main(['start', '--output_dir', outputDir, '--seeds', '3'])).toBe(0);
  expect(printed.text).toMatch(/vote_2 +20\.0 ± 0\.0 +60\.0 ± 8\.2 +\+40\.0 \[/);
  expect(printed.text).toMatch(/scores +50\.0 ± 0\.0 +66\.7 ± 23\.6 +\+16\.7 \[.*\] to votes/);
});
