import { mean } from './metrics.js';

/** A mean over repetitions, and their standard deviation. */
export interface Spread {
  readonly mean: number;
  readonly std: number;
}

/** Mean and (population) standard deviation of some numbers. */
export function spreadOf(values: readonly number[]): Spread {
  const center = mean(values);
  return { mean: center, std: Math.sqrt(mean(values.map((value) => (value - center) ** 2))) };
}

/** Mean and standard deviation of each number that all of some runs have measured. */
export function spreadsOf(runs: readonly Readonly<Record<string, number>>[]): Record<string, Spread> {
  const names = Object.keys(runs[0] ?? {}).filter((name) => runs.every((run) => run[name] !== undefined));
  return Object.fromEntries(names.map((name) => [name, spreadOf(runs.map((run) => run[name]!))]));
}

/** `5.4 ± 0.2`: values times `scale` (default 100, for percents) with so many decimals. */
export function formatSpread(
  { mean: center, std }: Spread,
  { scale = 100, decimals = 1 }: { scale?: number; decimals?: number } = {},
): string {
  return `${(scale * center).toFixed(decimals)} ± ${(scale * std).toFixed(decimals)}`;
}

/**
 * Repeats an experiment with several seeds and gives the mean and spread of each number that it measured: one run may
 * be chance.
 */
export async function overSeeds<Name extends string>(
  seeds: readonly number[],
  run: (seed: number) => Promise<Readonly<Record<Name, number>>>,
): Promise<Record<Name, Spread>> {
  const runs: Readonly<Record<Name, number>>[] = [];
  for (const seed of seeds) runs.push(await run(seed));
  return spreadsOf(runs) as Record<Name, Spread>;
}
