import { describe, expect, test } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import { computeMetrics, formatMetrics, METRIC_NAMES, metricsOfInput } from '../../src/evaluation/metrics.js';
import { A, B0, B1, TASKS, taskWith } from './example.js';

/** Three of A's four cells are right. */
const nearlyA = [
  [1, 2],
  [3, 9],
];

describe('metrics of one test input', () => {
  test('equal what is computed by hand', () => {
    // right, 3 of 4 cells, wrong size, no grid
    expect(metricsOfInput([A, nearlyA, [[1, 2]], null], A)).toEqual({
      accuracy: 1 / 4,
      correct_pixels: (1 + 0.75 + 0 + 0) / 4,
      max_correct_pixels: 1,
      correct_size: 2 / 4,
      any_correct_size: 1,
      pass_n: 1,
      unanswered: 1 / 4,
    });
    expect(metricsOfInput([nearlyA, [[1, 2]]], A)).toEqual({
      accuracy: 0,
      correct_pixels: 0.375,
      max_correct_pixels: 0.75,
      correct_size: 0.5,
      any_correct_size: 1,
      pass_n: 0,
      unanswered: 0,
    });
  });

  test('a wrong size has no right pixels, also when it only lacks a column', () => {
    const scores = metricsOfInput([[[1], [3]], [[1, 2, 0], [3, 4, 0]]], A); // biome-ignore format: short
    expect(scores).toMatchObject({ correct_pixels: 0, any_correct_size: 0, unanswered: 0 });
  });

  test('no attempts at all are unanswered', () => {
    expect(metricsOfInput([], A)).toMatchObject({
      unanswered: 1,
      accuracy: 0,
      pass_n: 0,
      max_correct_pixels: 0,
    });
  });
});

describe('metrics of a data set', () => {
  test('average over the test inputs of a task, then over tasks', () => {
    const { overall, perTask, testInputs, attempts } = computeMetrics(
      new Map([
        ['a', [[A, nearlyA]]],
        [
          'b',
          [
            [B0, B0],
            [[[7]], null],
          ],
        ],
      ]),
      TASKS,
    );
    expect(perTask.get('a')).toMatchObject({
      accuracy: 0.5,
      correct_pixels: 0.875,
      pass_n: 1,
      unanswered: 0,
    });
    // one of the two test inputs is solved
    expect(perTask.get('b')).toMatchObject({
      accuracy: 0.5,
      pass_n: 0.5,
      correct_size: 0.75,
      any_correct_size: 1,
      unanswered: 0.25,
    });
    expect(overall).toEqual({
      accuracy: 0.5,
      correct_pixels: (0.875 + 0.5) / 2,
      max_correct_pixels: 0.75,
      correct_size: (1 + 0.75) / 2,
      any_correct_size: 1,
      pass_n: 0.75,
      unanswered: 0.125,
    });
    expect([testInputs, attempts]).toEqual([3, 6]);
  });

  test('what is missing counts as unanswered', () => {
    const { overall, perTask } = computeMetrics(new Map([['b', [[B0]]]]), TASKS);
    expect(perTask.get('a')).toMatchObject({ unanswered: 1, pass_n: 0 });
    expect(perTask.get('b')).toMatchObject({ unanswered: 0.5, pass_n: 0.5 });
    expect(overall).toMatchObject({ unanswered: 0.75, pass_n: 0.25 });
  });

  test('several variants: the first is meant', () => {
    const dataset = new Map([['a', [taskWith(A), taskWith(B1)]]]);
    expect(computeMetrics(new Map([['a', [[A]]]]), dataset).overall.pass_n).toBe(1);
  });

  test('refuses answers that do not fit', () => {
    expect(() => computeMetrics(new Map([['c', [[A]]]]), TASKS, 'x.json')).toThrow(
      /^x\.json: task "c" is not in the data set, which has 2 tasks/,
    );
    expect(() => computeMetrics(new Map([['a', [[A], [A]]]]), TASKS, 'x.json')).toThrow(
      'x.json: task "a" has answers for 2 test inputs, but the data set has 1',
    );
    const unsolved = new Map([['a', { train: [], test: [{ input: A }] }]]);
    expect(() => computeMetrics(new Map(), unsolved)).toThrow(/no solution of task "a", test input 0/);
    expect(() => computeMetrics(new Map(), new Map())).toThrow(/no test inputs/);
  });

  test('an unreadable data set is named', () => {
    expect(() => loadTasks('nowhere.json')).toThrow(/nowhere\.json.*no such file/);
  });
});

test('the line has all names in the published order, one decimal and a percent sign', () => {
  const { overall } = computeMetrics(new Map([['a', [[A, nearlyA, nearlyA]]]]), TASKS);
  expect(formatMetrics(overall)).toBe(
    'accuracy: 16.7% correct_pixels: 41.7% max_correct_pixels: 50.0% correct_size: 50.0% any_correct_size: 50.0% pass_n: 50.0% unanswered: 50.0%',
  );
  expect(formatMetrics({ vote_2: 0.1273, ...overall })).toMatch(/unanswered: 50\.0% vote_2: 12\.7%$/);
  expect(Object.keys(overall)).toEqual([...METRIC_NAMES]);
});
