/** Flows that end in metrics, repeated with several seeds: what one run says may be luck. */
import { join } from 'node:path';
import { notesTo } from '../common/events.js';
import { writeJson } from '../common/files.js';
import { type PooledContribution, pooledContributions } from '../evaluation/contributions.js';
import { type PairedDifference, pairedDifference } from '../evaluation/intervals.js';
import { type Spread, spreadsOf } from '../evaluation/spread.js';
import type { GenerationHooks } from '../experiments/infer.js';
import { type InferEvaluateResult, inferEvaluate } from '../experiments/infer-evaluate.js';
import { type StartHooks, type StartResult, start } from '../experiments/start.js';
import { inferEvaluateSeedsOptions } from '../options/inference.js';
import { seedOption } from '../options/model.js';
import { startSeedsOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import type { Sharing } from '../session/sharing.js';
import { seedsFrom } from './over-seeds.js';

/** Options of {@link inferEvaluateSeeds}. */
export type InferEvaluateSeedsOptions = OptionsOf<typeof inferEvaluateSeedsOptions.table>;

/** What a checkpoint's predictions are worth with several seeds. */
export interface InferEvaluateSeedsResult {
  readonly seeds: readonly number[];
  readonly runs: readonly InferEvaluateResult[];
  /** Over all predictions, and over the votes: mean and standard deviation over the seeds. */
  readonly metrics: Readonly<Record<string, Spread>>;
  readonly votedMetrics: Readonly<Record<string, Spread>>;
}

/**
 * `inferEvaluate` with several seeds. Each seed has its own result file: of one that is named, `_seed107` and so on
 * is put before `.json` for all but the first.
 * @throws {UserError} as `inferEvaluate`
 */
export async function inferEvaluateSeeds(
  options: InferEvaluateSeedsOptions & GenerationHooks & Sharing,
): Promise<InferEvaluateSeedsResult> {
  const { onEvent, signal, ranks, ...given } = options;
  const { seeds: count = 1, ...o } = inferEvaluateSeedsOptions.given(given, notesTo(onEvent));
  const seeds = seedsFrom(o.seed ?? seedOption.seed.default, count);
  const runs: InferEvaluateResult[] = [];
  for (const [i, seed] of seeds.entries()) {
    const named = i > 0 && o.outputPath !== undefined;
    const outputPath = named ? o.outputPath!.replace(/(\.json)?$/, `_seed${seed}.json`) : undefined;
    const own = { seed, ...(outputPath === undefined ? {} : { outputPath }) };
    runs.push(await inferEvaluate({ ...o, checkpoint: o.checkpoint!, ...own, onEvent, signal, ranks }));
  }
  return {
    seeds,
    runs,
    metrics: spreadsOf(runs.map(({ metrics }) => metrics)),
    votedMetrics: spreadsOf(runs.map(({ votedMetrics }) => votedMetrics)),
  };
}

/** Options of {@link startSeeds}. */
export type StartSeedsOptions = OptionsOf<typeof startSeedsOptions.table>;

/** What the whole experiment comes to with several seeds. */
export interface StartSeedsResult {
  readonly seeds: readonly number[];
  readonly runs: readonly StartResult[];
  readonly before: Readonly<Record<string, Spread>>;
  readonly after: Readonly<Record<string, Spread>>;
  /** What training changed, with an interval over the seeds: each draws its own tasks, training and predictions. */
  readonly change: Readonly<Record<string, PairedDifference>>;
  /** What each way of choosing attempts solves, with differences over tasks and seeds. */
  readonly parts: readonly PooledContribution[];
}

/**
 * `start` with several seeds, each in a folder `seed-<n>` of the output folder, and `seeds.json` with what they have
 * measured.
 * @throws {UserError} as `start`
 */
export async function startSeeds(options: StartSeedsOptions & StartHooks = {}): Promise<StartSeedsResult> {
  const { onEvent, signal, ...given } = options;
  const { seeds: count = 1, ...o } = startSeedsOptions.given(given, notesTo(onEvent));
  const outputDir = o.outputDir ?? startSeedsOptions.defaults.outputDir;
  const seeds = seedsFrom(o.seed ?? seedOption.seed.default, count);
  const runs: StartResult[] = [];
  for (const seed of seeds) {
    const folder = join(outputDir, `seed-${seed}`);
    runs.push(await start({ ...o, seed, outputDir: folder, onEvent, signal }));
  }
  const before = runs.map((run) => run.before);
  const after = runs.map((run) => run.after);
  const result = {
    seeds,
    before: spreadsOf(before),
    after: spreadsOf(after),
    change: Object.fromEntries(
      Object.keys(spreadsOf([...before, ...after])).map((name) => [name, changeOf(after, before, name)]),
    ),
    parts: pooledContributions(runs.map(({ parts }) => parts)),
  };
  const perSeed = seeds.map((seed, i) => ({ seed, before: before[i], after: after[i] }));
  writeJson(join(outputDir, 'seeds.json'), { ...result, runs: perSeed });
  return { ...result, runs };
}

type Measured = readonly Readonly<Record<string, number>>[];

function changeOf(after: Measured, before: Measured, name: string): PairedDifference {
  const values = (runs: Measured) => runs.map((run) => [run[name]!]);
  return pairedDifference(values(after), values(before), { tasks: 'per-run' });
}
