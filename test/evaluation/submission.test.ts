import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import { buildSubmission, validateSubmission } from '../../src/evaluation/submission.js';
import type { Answers } from '../../src/evaluation/types.js';
import { A, B0, B1, TASKS } from './example.js';

const grid = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 9 }))
  .map(([height, width, color]): Grid => Array.from({ length: height }, () => new Array(width).fill(color)));

describe('a submission', () => {
  test('has the two best answers', () => {
    const submission = buildSubmission(new Map([['a', [[A, B0, B1]]]]), TASKS);
    expect(submission.a).toEqual([{ attempt_1: A, attempt_2: B0 }]);
  });

  test('fills what is missing: with the input, then with one cell; never the same twice', () => {
    const input = [[7, 7]];
    const challenges = new Map<string, Task>([
      ['t', { train: [], test: [{ input }, { input }, { input: [[0]] }, { input }] }],
    ]);
    const answers: Answers = new Map([['t', [[A], [null, null], [], [A, A, null, B0]]]]);
    expect(buildSubmission(answers, challenges).t).toEqual([
      { attempt_1: A, attempt_2: input },
      { attempt_1: input, attempt_2: [[0]] },
      { attempt_1: [[0]], attempt_2: [[1]] },
      { attempt_1: A, attempt_2: B0 },
    ]);
  });

  test('is valid whatever was predicted', () => {
    const inputs = fc.array(grid, { minLength: 1, maxLength: 3 });
    const attempts = fc.array(fc.option(grid), { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }),
          fc.tuple(inputs, fc.array(attempts, { maxLength: 5 }), fc.boolean()),
        ),
        (world) => {
          const challenges = new Map<string, Task>();
          const answers = new Map<string, (Grid | null)[][]>();
          for (const [id, [grids, lists, answered]] of Object.entries(world)) {
            challenges.set(id, { train: [], test: grids.map((input) => ({ input })) });
            if (answered) answers.set(id, lists);
          }
          answers.set('not a challenge', [[A]]);
          // as it is read back from the file
          const submission: unknown = JSON.parse(JSON.stringify(buildSubmission(answers, challenges)));
          expect(Object.keys(validateSubmission(submission, challenges))).toHaveLength(challenges.size);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('validation names what is wrong', () => {
    const good = buildSubmission(new Map(), TASKS);
    const entry = { attempt_1: A, attempt_2: A };
    const check = (value: unknown) => () => validateSubmission(value, TASKS, 's.json');
    expect(check(good)).not.toThrow();
    expect(check({ a: good.a })).toThrow('s.json: task "b" is missing');
    expect(check({ ...good, b: [entry] })).toThrow('s.json: task "b" has 1 entries, but 2 test inputs');
    expect(check({ ...good, c: [entry] })).toThrow('s.json: task "c" is not one of the challenges');
    expect(check({ ...good, a: [{ attempt_1: A }] })).toThrow(/s\.json.*at \/a\/0.*attempt_2/);
    expect(check({ ...good, a: [{ ...entry, attempt_2: [[10]] }] })).toThrow(
      /\/a\/0\/attempt_2\/0\/0.*found 10/,
    );
    expect(check({ ...good, a: [{ ...entry, attempt_2: [] }] })).toThrow(/\/a\/0\/attempt_2/);
    expect(check({ ...good, a: [{ ...entry, attempt_2: [[1], [1, 2]] }] })).toThrow(
      /ragged grid at \/a\/0\/attempt_2/,
    );
    expect(check([])).toThrow(/s\.json: not a submission/);
  });
});
