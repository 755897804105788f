import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateTask } from '../../src/arc/generate.js';
import type { Grid, Task } from '../../src/arc/types.js';
import { fallbackAttempts } from '../../src/evaluation/fallback.js';

const solves = (task: Task, n = 2) =>
  fallbackAttempts(task, 0, n).some((grid) => JSON.stringify(grid) === JSON.stringify(task.test[0]!.output));

describe('attempts without a model', () => {
  test.each(['transpose', 'rotate-half', 'swap-colors'])('solve %s', (name) => {
    const tasks = Array.from({ length: 20 }, (_, i) => generateTask(name, 1, i, { maxSize: 6, colors: 3 }));
    // a colour that no train sample shows cannot be known
    expect(tasks.filter((task) => solves(task)).length).toBeGreaterThan(name === 'swap-colors' ? 8 : 18);
  });

  test('know constant outputs, tiles, larger cells and what is in the middle', () => {
    const task = (change: (grid: Grid) => Grid): Task => {
      const make = (a: number, b: number) => ({ input: [[a, b]], output: change([[a, b]]) });
      return { train: [make(1, 2), make(3, 4)], test: [make(5, 6)] };
    };
    expect(
      solves(
        task(() => [[1], [2]]),
        1,
      ),
    ).toBe(true);
    expect(
      solves(
        task(([row]) => [
          [...row!, ...row!],
          [...row!, ...row!],
        ]),
        1,
      ),
    ).toBe(true);
    expect(
      solves(
        task(([row]) => [row!.flatMap((color) => [color, color])]),
        1,
      ),
    ).toBe(true);
    const framed = (color: number) => ({
      input: [
        [0, 0, 0],
        [0, color, 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
      output: [[color]],
    });
    expect(solves({ train: [framed(1), framed(2)], test: [framed(3)] }, 1)).toBe(true);
  });

  test('of a task that no rule explains, the first is the input or as good on its train samples', () => {
    const train = [
      { input: [[1, 2, 3]], output: [[1, 2, 4]] },
      { input: [[5, 3, 3]], output: [[5, 3, 0]] },
    ];
    expect(fallbackAttempts({ train, test: [{ input: [[7, 8, 9]] }] }, 0)[0]).toEqual([[7, 8, 9]]);
  });

  test('are different grids of at most 30×30, for any task', () => {
    const grid = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 })).chain(([h, w]) =>
      fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: w, maxLength: w }), {
        minLength: h,
        maxLength: h,
      }),
    );
    const sample = fc.record({ input: grid, output: grid });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 3 }), grid, (train, input) => {
        const attempts = fallbackAttempts({ train, test: [{ input }] }, 0, 99);
        expect(attempts.length).toBeGreaterThan(0);
        expect(new Set(attempts.map((attempt) => JSON.stringify(attempt))).size).toBe(attempts.length);
        for (const attempt of attempts) {
          expect(Math.max(attempt.length, attempt[0]!.length)).toBeLessThanOrEqual(30);
          expect(attempt.every((row) => row.length === attempt[0]!.length)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
