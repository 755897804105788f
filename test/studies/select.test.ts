import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { selectionPlot, selectionTable, selectionText } from '../../src/display/selection.js';
import { textTable } from '../../src/display/tables.js';
import { saveResults, taskResultsPath } from '../../src/evaluation/files.js';
import { joinResults } from '../../src/studies/join.js';
import { select } from '../../src/studies/select.js';
import { voteOnPredictions } from '../../src/studies/vote.js';
import { A, prediction, TASKS } from '../evaluation/example.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-select-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const datasetPath = file('tasks.json');
writeFileSync(datasetPath, JSON.stringify({ a: TASKS.get('a') }));

/** Pools of two models: one votes for another grid, the other finds the solution most likely. */
const wrong = [[9]];
const [first, second] = [
  [wrong, wrong, A].map((grid) => ({
    ...prediction('a', 0, grid),
    scores: grid === A ? [-3, -3] : [-4, -4],
  })),
  [A, [[8]]].map((grid) => ({ ...prediction('a', 0, grid), scores: grid === A ? [-1] : [-2] })),
];
const pathOf = (name: string, predictions: readonly ReturnType<typeof prediction>[]) => {
  saveResults(file(name), predictions);
  return taskResultsPath(file(name));
};

describe('select', () => {
  test('studies the joined pools of two models, and writes the study and a report', async () => {
    const outputPath = file('joined.json');
    const inputPaths = [pathOf('first.json', first!), pathOf('second.json', second!)];
    const { detailsPath } = joinResults({ inputPaths, outputPath, datasetPath });
    const study = await select({
      inputPath: detailsPath,
      datasetPath,
      repeats: 100,
      outputPath: file('study.json'),
      htmlPath: file('study.html'),
    });
    expect([study.inPool, study.candidates]).toEqual([1, 3]);
    const solved = Object.fromEntries(study.rules.map(({ rule, solved_1 }) => [rule, solved_1]));
    // A has the mean of −3 and −1, [[8]] has −2: what is equal is decided by count
    expect(solved).toMatchObject({ 'sum-logprob': 1, max: 1, count: 0 });
    expect(JSON.parse(readFileSync(file('study.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(study)));
    const html = readFileSync(file('study.html'), 'utf8');
    for (const { rule } of study.rules) expect(html).toContain(rule);
    const voted = voteOnPredictions({ inputPath: detailsPath, method: 'sum-logprob', n: 1 });
    expect(voted.answers.get('a')).toEqual([[A]]);
  });

  test('takes tasks and predictions as values, for a notebook', async () => {
    const study = await select({ tasks: TASKS, predictions: first!, rules: ['count', 'min'], repeats: 100 });
    expect(study.reference).toBe('count');
    const text = textTable(selectionTable(study));
    expect(text).toContain('points more than count');
    // the rule that solves more comes first; of three test inputs one has a pool
    expect(text.split('\n')[2]).toMatch(/^min +50\.0% +50\.0% +0\.0% +1\.00 +0\.0 \[0\.0, 0\.0\]$/);
    expect(selectionText(study)).toContain('2 of them have no candidate');
    const nothing = await select({ tasks: TASKS, predictions: [prediction('a', 0, [[7]])], repeats: 100 });
    // the mean over no solution
    expect(textTable(selectionTable(nothing)).split('\n')[2]).toMatch(/^count +0\.0% +0\.0% +0\.0% +– /);
    const bars = (selectionPlot(study).data as { values: { label: string; value: number }[] }).values;
    expect(bars[0]).toMatchObject({ label: 'in the pool', value: 0.5 });
    expect(bars).toHaveLength(5);
  });

  test.each<[string, () => Promise<unknown> | unknown, RegExp]>([
    [
      'a pool of another data set',
      () => select({ tasks: TASKS, predictions: [prediction('z', 0, A)] }),
      /task "z" is not in the data set/,
    ],
    [
      'an empty pool',
      () => select({ tasks: TASKS, predictions: [] }),
      /expected predictions, found an empty list/,
    ],
    [
      'a rule without its scores',
      () => select({ tasks: TASKS, predictions: [prediction('a', 0, A)], rules: ['max'] }),
      /rule max compares scores under common views, which 1 of 1 grids lack: make them with arclab score/,
    ],
    [
      'a vote by scores that are not there',
      async () => voteOnPredictions({ predictions: [prediction('a', 0, A)], method: 'min' }),
      /rule min compares scores/,
    ],
  ])('refuses %s in one line', async (_, run, message) => {
    const error = await Promise.resolve()
      .then(run)
      .then(
        () => undefined,
        (thrown: Error) => thrown,
      );
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain('\n');
  });
});
