import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';

const draws = (rng: Rng, count = 20) => Array.from({ length: count }, () => rng.uniform());

describe('Rng', () => {
  it('gives the same stream for the same names, and another one for any other', () => {
    const streams = [
      Rng.of(1),
      Rng.of(2),
      Rng.of(-1),
      Rng.of(1 + 2 ** 32),
      Rng.of(1, 'augment'),
      Rng.of(1, 'augment', 0),
      Rng.of(1, 'augment', 1),
      Rng.of(1, 'augmen', 't'),
      Rng.of(1, 0, 'augment'),
    ];
    const first = streams.map((rng) => draws(rng).join());
    expect(new Set(first).size).toBe(streams.length);
    expect(draws(Rng.of(1, 'augment', 1)).join()).toBe(first[6]);
  });

  it('goes on from a state that went through JSON', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 20 }), (seed, used) => {
        const rng = Rng.of(seed);
        draws(rng, used);
        const copy = Rng.fromState(JSON.parse(JSON.stringify(rng.state())));
        expect(draws(copy)).toEqual(draws(rng));
      }),
    );
  });

  it('forks a stream that does not depend on what its parent draws later', () => {
    const [a, b] = [Rng.of(3), Rng.of(3)];
    const [forkA, forkB] = [a.fork(), b.fork()];
    draws(a);
    expect(draws(forkA)).toEqual(draws(forkB));
    expect(draws(Rng.of(3).fork())).not.toEqual(draws(Rng.of(3)));
  });

  it('draws uniform and normal numbers with the right mean and spread', () => {
    const rng = Rng.of(4);
    const uniform = draws(rng, 20_000);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    const normal = Array.from({ length: 20_000 }, () => rng.normal(2, 3));
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // five standard errors
    expect(Math.abs(mean(uniform) - 0.5)).toBeLessThan(0.0103);
    expect(Math.abs(mean(normal) - 2)).toBeLessThan(0.107);
    const variance = mean(normal.map((value) => (value - 2) ** 2));
    expect(Math.abs(Math.sqrt(variance) - 3)).toBeLessThan(0.076);
  });

  it('shuffles into each order equally often, and never loses an item', () => {
    const rng = Rng.of(5);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = rng.shuffle(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    const statistic = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(statistic).toBeLessThan(20.5); // p = 0.001, 5 degrees of freedom
    expect(new Set(rng.sample([1, 2, 3, 4], 3)).size).toBe(3);
  });

  it('picks by weight, never what weighs nothing', () => {
    const rng = Rng.of(6);
    const picked = Array.from({ length: 4000 }, () => rng.pickWeighted(['a', 'b', 'c', 'd'], [1, 3, 0, 0]));
    expect(new Set(picked)).toEqual(new Set(['a', 'b']));
    expect(Math.abs(picked.filter((item) => item === 'b').length / 4000 - 0.75)).toBeLessThan(0.035);
    expect(() => rng.pickWeighted(['a'], [0])).toThrow(RangeError);
    expect(() => rng.pickWeighted(['a'], [1, 2])).toThrow(RangeError);
    expect(() => rng.pick([])).toThrow(RangeError);
  });
});
