import { expect, test } from 'vitest';
import { Pace } from '../../src/training/pace.js';

/** Takes steps of so many seconds until the pace ends the run. */
function run(maxSteps: number, budget: number, stepSeconds: (step: number) => number) {
  let now = 0;
  const pace = new Pace(maxSteps, () => budget - now);
  const positions: number[] = [];
  let step = 0;
  while (step < pace.steps) {
    positions.push(pace.position(step));
    now += stepSeconds(step);
    step += 1;
    pace.after(step);
  }
  return { step, now, positions };
}

test('a run that fits is left alone, however long its first step takes', () => {
  const { step, positions } = run(10, 100, (i) => (i === 0 ? 40 : 5));
  expect(step).toBe(10);
  expect(positions).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a run that does not fit ends in time, and its schedule with it', () => {
  const { step, now, positions } = run(1000, 100, () => 2);
  expect(now).toBeLessThanOrEqual(100);
  expect(step).toBeGreaterThanOrEqual(49);
  expect(positions.at(-1)! / 1000).toBeCloseTo((step - 1) / step, 5);
});

test('a run whose steps get slower ends in time too, at the latest one step after', () => {
  expect(run(1000, 100, (i) => 1 + i / 10).now).toBeLessThanOrEqual(100);
  expect(run(5, 10, () => 30)).toMatchObject({ step: 1 });
});
