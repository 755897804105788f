import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import type { Task } from '../../src/arc/types.js';
import { main } from '../../src/cli/main.js';
import { Rng } from '../../src/common/rng.js';
import { answersOf, resultsOf, saveResults } from '../../src/evaluation/files.js';
import { computeMetrics } from '../../src/evaluation/metrics.js';
import { changesFromFirst, pairedMetrics, pairedRows, taskMetrics } from '../../src/evaluation/paired.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { voteMetrics } from '../../src/evaluation/voting.js';
import { pairedStudy } from '../../src/studies/paired-study.js';
import { catchPrinted } from '../cli/printed.js';
import { temporaryFolder } from '../training/temporary.js';
import { A, B0, B1, prediction, TASKS, taskWith } from './example.js';

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test('the mean over tasks is that of the metrics and votes', () => {
  const predictions = [
    ...[A, [[1]], A].map((grid) => prediction('a', 0, grid)),
    ...[B0, [[1]], [[1]]].map((grid) => prediction('b', 0, grid)),
    ...[null, [[2]], B1].map((grid) => prediction('b', 1, grid)),
  ];
  const perTask = [...taskMetrics(resultsOf(predictions), TASKS).values()];
  const { overall } = computeMetrics(answersOf(predictions), TASKS);
  for (const [name, value] of Object.entries({ ...overall, ...voteMetrics(predictions, TASKS) })) {
    expect(perTask.reduce((sum, task) => sum + task[name]!, 0) / 2).toBeCloseTo(value, 12);
  }
  const plain = taskMetrics({ source: 'x', answers: new Map([['a', [[A]]]]) }, TASKS);
  expect(plain.get('a')).toMatchObject({ accuracy: 1 });
  expect(plain.get('a')).not.toHaveProperty('vote_1');
});

/** Tasks, and runs that solve each with a probability of its own and an advantage. */
const tasks: ReadonlyMap<string, Task> = new Map(
  Array.from({ length: 150 }, (_, i) => [`t${i}`, taskWith(A)]),
);
function runOf(seed: number, advantage: number): Prediction[] {
  const rng = Rng.of(seed, 'run');
  return [...tasks.keys()].map((id, i) => {
    const chance = [0.02, 0.5, 0.98][i % 3]! + advantage;
    return prediction(id, 0, rng.chance(chance) ? A : [[9]]);
  });
}
const runs = (from: number, advantage: number) =>
  Array.from({ length: 4 }, (_, i) => taskMetrics(resultsOf(runOf(from + i, advantage)), tasks));

test('sets of runs: means, spreads and the difference of the second from the first', () => {
  const [base, better, same] = [runs(10, 0), runs(20, 0.2), runs(40, 0)];
  const found = pairedMetrics(base, better, { repeats: 500 });
  expect(found.map(({ metric }) => metric)).toEqual(['accuracy', 'pass_n', 'vote_1', 'vote_2']);
  const { first, second, difference, isFound } = found[0]!;
  expect(difference.difference).toBeCloseTo(second.mean - first.mean, 12);
  expect(isFound && difference.low > 0 && difference.high < 0.3).toBe(true);
  expect(pairedMetrics(base, same, { metrics: ['vote_2'], repeats: 500 })[0]!.isFound).toBe(false);
  expect(pairedRows(found, { first: 'lora', second: 'full' })[0]).toEqual({
    metric: 'accuracy',
    lora: expect.stringMatching(/^\d+\.\d ± \d\.\d$/),
    full: expect.stringMatching(/^\d+\.\d ± \d\.\d$/),
    'difference [95%]': expect.stringMatching(/^\+\d+\.\d \[\d+\.\d, \d+\.\d\]$/),
    found: 'yes',
  });
  const [none, change] = changesFromFirst([base, better], 'vote_2');
  expect(none).toBe('');
  expect(change).toMatch(/^\+\d+\.\d \[/);
});

test('runs about other tasks, unknown metrics and empty sets are refused', () => {
  const [base] = [runs(1, 0)];
  const fewer = new Map([...base[0]!].slice(1));
  expect(() => pairedMetrics(base, [fewer])).toThrow(
    /the same tasks in all runs: found 150 .* 149 or others/,
  );
  expect(() => pairedMetrics(base, base, { metrics: ['vote_3'] })).toThrow(
    /metric "vote_3": .*known: accuracy/,
  );
  expect(() => pairedMetrics([], base)).toThrow(/at least one run with tasks/);
});

test('arclab study paired compares files, leaves out what nobody answered, and says what one run does not say', async () => {
  const folder = temporaryFolder();
  const file = (name: string) => join(folder, name);
  saveDataset(
    file('tasks.json'),
    new Map([...tasks, ['nobody', taskWith(A)]].map(([id, task]) => [id as string, [task as Task]])),
  );
  for (const [name, advantage] of [
    ['a', 0],
    ['b', 0.2],
  ] as const) {
    for (const seed of [1, 2])
      saveResults(file(`${name}${seed}.json`), runOf(seed + 50 * advantage, advantage));
  }
  const details = (name: string) => file(`${name}_task_results.json`);
  const printed = catchPrinted();
  const call = (first: string[], second: string[], ...more: string[]) =>
    main([
      ...['study', 'paired', '--first', ...first.map(details), '--second', ...second.map(details)],
      ...['--dataset_path', file('tasks.json'), '--repeats', '300', ...more],
    ]);
  expect(await call(['a1', 'a2'], ['b1', 'b2'], '--output_path', file('study.json'))).toBe(0);
  expect(printed.text).toMatch(/^150 tasks, 2 and 2 runs; percent/);
  expect(printed.text).toMatch(/vote_2 +\d+\.\d ± \d\.\d +\d+\.\d ± \d\.\d +\+\d+\.\d \[/);
  expect(printed.text).not.toContain('one run on each side');
  printed.text = '';
  expect(await call(['a1'], ['b1'], '--metrics', 'accuracy')).toBe(0);
  expect(printed.text).toContain('one run on each side: the intervals say nothing about other seeds');
  printed.text = '';
  expect(await call(['a1'], [])).toBe(2);
  expect(await call(['a1'], ['b1'], '--level', '95')).toBe(2);
  expect(printed.text).toMatch(/--level/);
  writeFileSync(file('other_task_results.json'), '[]');
  printed.text = '';
  expect(await call(['other'], ['other'])).toBe(2);
  expect(printed.text).toMatch(/no run has an answer to any task/);
});

test('results may be values', () => {
  const study = pairedStudy({ first: [runOf(1, 0)], second: [runOf(2, 0)], tasks, repeats: 200 });
  expect(study).toMatchObject({ tasks: 150, runs: [1, 1] });
  expect(() => pairedStudy({ first: [], second: [], tasks })).toThrow(/`first/);
});
