import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { formatDifference, pairedDifference } from '../../src/evaluation/intervals.js';

/** Tasks of all difficulties, each solved by a method with a probability of its own. */
function solved(seed: number, tasks: number, advantage: number): number[] {
  const rng = Rng.of(seed, 'solved');
  return Array.from({ length: tasks }, (_, i) => Number(rng.uniform() < i / tasks + advantage));
}

describe('the interval of a paired difference', () => {
  it('is that of all equally likely resamples', () => {
    // differences 0 and 1 give the means 0, ½, ½, 1
    const narrow = pairedDifference([0, 1], [0, 0], { level: 0.4 });
    expect(narrow).toEqual({ difference: 0.5, low: 0.5, high: 0.5, level: 0.4 });
    const wide = pairedDifference([0, 1], [0, 0], { level: 0.6 });
    expect([wide.low, wide.high]).toEqual([0, 1]);
  });

  it('agrees with the normal distribution on many tasks', () => {
    const rng = Rng.of(1, 'values');
    const a = Array.from({ length: 400 }, () => rng.normal(0.3, 2));
    const { low, high, difference } = pairedDifference(a, new Array(400).fill(0), { repeats: 4000 });
    const center = a.reduce((sum, x) => sum + x, 0) / 400;
    const error = Math.sqrt(a.reduce((sum, x) => sum + (x - center) ** 2, 0)) / 400;
    expect(difference).toBeCloseTo(center, 12);
    expect(low).toBeCloseTo(center - 1.96 * error, 1.5);
    expect(high).toBeCloseTo(center + 1.96 * error, 1.5);
  });

  it('does not mind how hard the tasks are', () => {
    // b solves half of the tasks; a the same ones and 3 % more
    const b = Array.from({ length: 400 }, (_, i) => i % 2);
    const a = b.map((value, i) => (i % 66 === 0 ? 1 : value));
    const { low, difference } = pairedDifference(a, b, { repeats: 2000 });
    expect(difference).toBeCloseTo(7 / 400, 12);
    expect(low).toBeGreaterThan(0);
  });

  it('finds a planted difference and not a planted zero, over seeds', () => {
    const runs = (from: number, advantage: number) =>
      Array.from({ length: 5 }, (_, seed) => solved(from + seed, 400, advantage));
    const few = { repeats: 1000 };
    expect(pairedDifference(runs(10, 0.06), runs(20, 0), few).low).toBeGreaterThan(0);
    const { low, high } = pairedDifference(runs(10, 0), runs(20, 0), few);
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
  });

  it('covers the true difference about as often as it says', () => {
    let covered = 0;
    for (let i = 0; i < 200; i++) {
      const rng = Rng.of(i, 'coverage');
      const b = Array.from({ length: 60 }, () => rng.normal());
      const a = b.map((value) => value + 0.5 + rng.normal());
      const { low, high } = pairedDifference(a, b, { seed: i, repeats: 400, level: 0.9 });
      covered += Number(low <= 0.5 && 0.5 <= high);
    }
    expect(covered / 200).toBeGreaterThan(0.84);
    expect(covered / 200).toBeLessThan(0.95);
  });

  /** Runs of a method: tasks that are hard, easy or between, answers by chance, and a shift of each run. */
  function simulated(
    rng: Rng,
    difficulty: readonly number[],
    o: { runs: number; advantage: number; spread: number },
  ) {
    return Array.from({ length: o.runs }, () => {
      const shift = o.advantage + o.spread * rng.normal();
      return difficulty.map((p) => Number(rng.chance(Math.min(1, Math.max(0, p + shift)))));
    });
  }

  it.each([
    { runs: 10, spread: 0, least: 0.85 },
    { runs: 10, spread: 0.01, least: 0.65 },
    { runs: 1, spread: 0, least: 0.2 },
  ])('finds a planted difference of 3 points and not a planted zero: $runs runs, ± $spread', (o) => {
    const repeats = 120;
    let [zero, found] = [0, 0];
    for (let i = 0; i < repeats; i++) {
      const rng = Rng.of(i, 'planted');
      // 0.03 more for most of 400 tasks is 3 points, as few are clipped
      const difficulty = Array.from({ length: 400 }, () => 0.05 + 0.9 * rng.uniform() ** 3);
      const few = { seed: i, repeats: 300 };
      const base = simulated(rng, difficulty, { ...o, advantage: 0 });
      const same = simulated(rng, difficulty, { ...o, advantage: 0 });
      const better = simulated(rng, difficulty, { ...o, advantage: 0.03 });
      const nothing = pairedDifference(same, base, few);
      zero += Number(nothing.low <= 0 && nothing.high >= 0);
      found += Number(pairedDifference(better, base, few).low > 0);
    }
    // of 95 % intervals; three standard errors of this test are 6 points
    expect(zero / repeats).toBeGreaterThan(0.88);
    expect(found / repeats).toBeGreaterThan(o.least);
  });

  it('is wider when runs differ', () => {
    const width = (a: number[][], b: number[][]) => {
      const { low, high } = pairedDifference(a, b, { repeats: 1000 });
      return high - low;
    };
    const base = solved(1, 100, 0);
    const alike = [base, base, base, base];
    const uneven = [0.2, -0.2, 0.1, -0.1].map((shift) => base.map((value) => value + shift));
    expect(width(alike, alike)).toBe(0);
    expect(width(uneven, alike)).toBeGreaterThan(0.1);
  });

  it('draws the tasks of each run where every run has its own', () => {
    const a = [
      [1, 1],
      [0, 0, 0],
    ];
    const b = [
      [0, 0],
      [0, 0, 0],
    ];
    const { difference, low, high } = pairedDifference(a, b, { tasks: 'per-run' });
    // two runs that differ by 1 say little: Student's t of one degree of freedom
    expect(difference).toBe(0.5);
    expect(low).toBeLessThan(-4);
    expect(high).toBeGreaterThan(5);
    const [wide, narrow] = [
      [
        [1, 0],
        [1, 0],
      ],
      [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
      ],
    ].map((runs) =>
      pairedDifference(
        runs,
        runs.map((run) => run.map(() => 0)),
        { tasks: 'per-run' },
      ),
    );
    // runs that agree leave the tasks, four or eight of them
    expect([wide!.low, wide!.high]).toEqual([0, 1]);
    expect(narrow!.high).toBeLessThan(1);
  });

  it('takes sides with different numbers of runs', () => {
    const base = solved(3, 50, 0);
    const { difference } = pairedDifference([base, base], [base]);
    expect(difference).toBeCloseTo(0, 12);
  });

  it('is the same for the same seed', () => {
    const [a, b] = [solved(1, 40, 0.2), solved(2, 40, 0)];
    const drawn = (seed: number) => pairedDifference(a, b, { seed, repeats: 200 });
    expect(drawn(7)).toEqual(drawn(7));
    expect(drawn(7)).not.toEqual(drawn(8));
  });

  it.each<[string, number[] | number[][], number[] | number[][], object, string]>([
    ['no tasks', [], [1], {}, 'expected runs with tasks on both sides of a comparison, found none'],
    ['unlike tasks', [1, 0], [1], {}, 'the same tasks in all runs: found 2 and 1 tasks'],
    [
      'unlike tasks of a run',
      [[1, 0], [1]],
      [[1], [1]],
      { tasks: 'per-run' },
      'run by run: found 2, 1 and 1, 1',
    ],
    ['a level of 95', [1], [1], { level: 95 }, 'expected a level between 0 and 1, got 95'],
  ])('refuses %s', (_, a, b, options, message) => {
    expect(() => pairedDifference(a, b, options)).toThrow(message);
  });

  it('is written in points of percent', () => {
    expect(formatDifference({ difference: 0.031, low: 0.004, high: 0.058, level: 0.95 })).toBe(
      '+3.1 [0.4, 5.8]',
    );
    expect(formatDifference({ difference: -0.0001, low: -0.02, high: 0.02, level: 0.95 })).toBe(
      '0.0 [-2.0, 2.0]',
    );
  });
});
