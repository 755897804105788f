import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import {
  loadPredictions,
  loadResults,
  parseResults,
  saveResults,
  taskResultsPath,
} from '../../src/evaluation/files.js';
import { A, B0, prediction } from './example.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-results-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('result files', () => {
  const predictions = [
    prediction('a', 0, A),
    prediction('b', 1, null, -Infinity),
    prediction('b', 1, B0, -2),
  ];

  test('both files are read back as they were written', () => {
    const path = join(folder, 'inference.json');
    saveResults(path, predictions);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      a: [{ attempt_1: A }],
      b: [{}, { attempt_1: null, attempt_2: B0 }],
    });
    // an impossible answer keeps its -Infinity through JSON, which has none
    expect(loadPredictions(taskResultsPath(path))).toEqual(predictions);
    expect(loadResults(taskResultsPath(path)).answers).toEqual(loadResults(path).answers);
    expect(taskResultsPath(path)).toBe(join(folder, 'inference_task_results.json'));
  });

  test('attempts are in the order of their numbers, and [] is no grid', () => {
    const { answers } = parseResults({ a: [{ attempt_10: [[1]], attempt_2: [], attempt_1: [[0]] }] }, 'x');
    expect(answers.get('a')).toEqual([[[[0]], null, [[1]]]]);
  });

  test('the attempts alone are not the detailed list', () => {
    expect(() => loadPredictions(join(folder, 'inference.json'))).toThrow(
      /expected the detailed list.*_task_results/,
    );
  });

  test.each([
    [
      { a: [{ attempt_1: [[1, 2], [3]] }] },
      /x\.json: ragged grid at \/a\/0\/attempt_1: row 0 has 2 cells but row 1 has 1/,
    ],
    [{ a: [{ attempt_1: [[12]] }] }, /x\.json.*at \/a\/0\/attempt_1\/0\/0.*found 12/],
    [{ a: [{ first: [[1]] }] }, /x\.json.*at \/a\/0/],
    [{ a: { attempt_1: [[1]] } }, /x\.json.*at \/a/],
    ['text', /x\.json: not an inference file/],
    [[{ taskId: 'a', testIndex: 0, grid: [[1]] }], /x\.json.*at \/0.*logProb/],
    [[{ taskId: 'a', testIndex: -1, grid: [[1]], logProb: 0 }], /x\.json.*at \/0\/testIndex/],
    [[{ taskId: 'a', testIndex: 0, grid: [[1], [1, 2]], logProb: 0 }], /x\.json: ragged grid at \/0\/grid/],
  ])('a broken file is named with the place: %j', (value, message) => {
    expect(() => parseResults(value, 'x.json')).toThrow(message);
    expect(() => parseResults(value, 'x.json')).toThrow(UserError);
  });

  test("arc24's detailed list is read like ours", () => {
    const { answers, predictions } = parseResults(
      [
        {
          task_id: 'a',
          data_augmentation_kwargs: { hflip: true, n_rot90: 3, color_map: { 0: 0, 1: 5, 5: 1 } },
          ...{ prompt: 'p', idx: 0, grid: A, response: 'text', cumulative_logprob: -1.5, n_tokens: 7 },
        },
        { task_id: 'b', data_augmentation_kwargs: null, idx: 1, grid: [], cumulative_logprob: null },
      ],
      'x.json',
    );
    expect(answers).toEqual(
      new Map([
        ['a', [[A]]],
        ['b', [[], [null]]],
      ]),
    );
    expect(predictions![0]).toEqual({
      ...{ taskId: 'a', testIndex: 0, grid: A, text: 'text', logProb: -1.5, tokens: 7 },
      augmentation: { flip: true, rotations: 3, colorMap: [0, 5, 2, 3, 4, 1, 6, 7, 8, 9] },
    });
    expect(predictions![1]).toMatchObject({ grid: null, logProb: -Infinity, tokens: 0 });
    expect(() => parseResults([{ task_id: 'a', idx: '0', grid: A }], 'x.json')).toThrow(
      /x\.json: .*at \/0\/idx/,
    );
    expect(() => parseResults([{ task_id: 'a', idx: 0, grid: [[1], [1, 2]] }], 'x.json')).toThrow(/ragged/);
  });

  test('a file that is no JSON', () => {
    writeFileSync(join(folder, 'broken.json'), '{"a": [');
    expect(() => loadResults(join(folder, 'broken.json'))).toThrow(/broken\.json.*not valid JSON/);
  });
});
