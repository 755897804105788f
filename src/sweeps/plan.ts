/**
 * @file What a sweep does, as parts with what each of them needs: trainings (with halving one part for each rung),
 * choices of those that go on, evaluations. A part is named by a digest of everything that decides about it, so that
 * a description that has grown finds what is done already.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadDataset, requireSolutions } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { inferEvaluateOptions } from '../options/inference.js';
import type { DatasetPair } from '../options/table.js';
import { loadData } from '../training/open-run.js';
import { type FineTuneConfig, type FineTuneFileOptions, fineTuneConfig } from '../training/options.js';
import { type Combination, combinationsOf } from './combinations.js';
import type { PlacedDescription, SweepDescription, Variant } from './description.js';
import { assertNotOwn, checked, merged, type StageOptions, targetOf, withOption } from './parameters.js';
import { pathsIn } from './paths.js';

/** A part of a sweep. */
export interface Part {
  /** Such as `train-3f2a81c09e11` or `eval-…`; also of the file that holds what it came to. */
  readonly id: string;
  readonly kind: string;
  /** The run that it belongs to; a choice belongs to none. */
  readonly run?: string;
  /** Parts that have to be done before it. */
  readonly needs: readonly string[];
  /** Options of its flow, with absolute paths. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Of a training with halving: the step of the validation after which it waits. */
  readonly stopAt?: number;
  /** A choice that may have dropped its run. */
  readonly keptBy?: string;
  /** The training whose model it begins with or asks. */
  readonly model?: string;
  /** Of a choice: how many of its runs go on. */
  readonly keep?: number;
}

/** A run of a sweep: a training and its evaluation. */
export interface PlannedRun {
  readonly id: string;
  readonly variant: string;
  readonly parameters: Combination;
  /** The last part of its training, and its evaluation. */
  readonly training: string;
  readonly evaluation?: string;
}

/** Everything that a sweep does. */
export interface SweepPlan {
  readonly format: 1;
  readonly outputDir: string;
  readonly runs: readonly PlannedRun[];
  /** Each after those that it needs. */
  readonly parts: readonly Part[];
}

const digest = (...values: readonly unknown[]): string => fingerprintOf(values).slice(0, 12);

/** The content behind a path: a folder of a model, else a data set; a hub id is known by its name. */
function contentOf(path: string, cache: Map<string, string>): string {
  const known = cache.get(path);
  if (known !== undefined) return known;
  const content = !existsSync(path)
    ? path
    : existsSync(join(path, 'config.json'))
      ? fingerprintModel(path)
      : fingerprintOf(loadDataset(path));
  cache.set(path, content);
  return content;
}

/** A training and evaluation whose options are as they should be. */
interface CheckedRun {
  readonly variant: Variant;
  readonly parameters: Combination;
  readonly fineTune: Record<string, unknown>;
  readonly config: FineTuneConfig;
  readonly inferEvaluate?: Record<string, unknown>;
}

function checkRun(
  description: PlacedDescription,
  variant: Variant,
  parameters: Combination,
  where: string,
  loaded: Parameters<typeof loadData>[1],
): CheckedRun {
  let options: StageOptions = {
    fineTune: merged(description.fineTune, variant.fineTune),
    inferEvaluate: merged(description.inferEvaluate ?? {}, variant.inferEvaluate),
  };
  for (const [name, value] of Object.entries(parameters)) {
    const target = targetOf(name, where);
    if (target.stage === 'inferEvaluate' && description.inferEvaluate === undefined) {
      throw new UserError(
        `${where}: parameters: "${name}" is for infer-evaluate, which this sweep does not run`,
      );
    }
    options = withOption(options, target, value);
  }
  for (const stage of ['fineTune', 'inferEvaluate'] as const) {
    assertNotOwn(options[stage], stage, where);
    const placed = checked(`${where}: ${stage}`, () => pathsIn(description.folder, options[stage]));
    options = { ...options, [stage]: placed };
  }
  const outputDir = description.outputDir;
  const config = checked(`${where}: fineTune`, () => {
    const checkedConfig = fineTuneConfig({
      ...options.fineTune,
      outputDir,
    } as unknown as FineTuneFileOptions);
    loadData(checkedConfig, loaded);
    return checkedConfig;
  });
  const { modelPath, trainDatasets, valDataset } = config;
  const paths = { modelPath, trainDatasets, ...(valDataset.length > 0 ? { valDataset } : {}) };
  const adapter = config.adapterPath === undefined ? {} : { adapterPath: config.adapterPath };
  const fineTune = { ...options.fineTune, ...paths, ...adapter };
  if (description.inferEvaluate === undefined) return { variant, parameters, fineTune, config };
  const inferEvaluate = checked(`${where}: inferEvaluate`, () => {
    const given = inferEvaluateOptions.given(options.inferEvaluate);
    const path = given.datasetPath ?? valDataset[0]?.[0];
    if (path === undefined) throw new UserError('"datasetPath" is missing, and fineTune has no "valDataset"');
    requireSolutions(loadDataset(path), path);
    return { ...given } as Record<string, unknown>;
  });
  return { variant, parameters, fineTune, config, inferEvaluate };
}

/**
 * The steps at which trainings wait for each other: budgets that grow as those that go on get fewer, at validations.
 * @throws {UserError} when validations are too rare for as many rungs
 */
export function rungSteps(
  { maxSteps, evalSteps }: Pick<FineTuneConfig, 'maxSteps' | 'evalSteps'>,
  { rungs, keep = 0.5 }: NonNullable<SweepDescription['halving']>,
  where: string,
): number[] {
  const every = evalSteps === -1 ? maxSteps : evalSteps;
  const steps = Array.from({ length: rungs - 1 }, (_, i) => {
    const budget = maxSteps * keep ** (rungs - 1 - i);
    return every * Math.max(1, Math.round(budget / every));
  });
  const all = [...steps, maxSteps];
  if (all.every((step, i) => i === 0 || step > all[i - 1]!)) return steps;
  throw new UserError(
    `${where}: halving: ${rungs} rungs of ${maxSteps} steps need validations at different steps, found ${all.join(', ')}; give a smaller "evalSteps" (${evalSteps} now) or fewer rungs`,
  );
}

/** Parts of the trainings of some runs, with a choice between every two rungs. */
function trainingParts(
  runs: readonly (CheckedRun & { id: string; model?: string })[],
  description: SweepDescription,
  where: string,
): { parts: Part[]; last: Map<string, string> } {
  const { halving, outputDir } = description;
  const last = new Map(runs.map(({ id }) => [id, `train-${id}`]));
  const optionsOf = (run: CheckedRun & { id: string }) => ({
    ...run.fineTune,
    outputDir: join(outputDir, 'runs', run.id),
  });
  const partOf = (run: (typeof runs)[number]) => ({
    kind: 'fine-tune',
    run: run.id,
    options: optionsOf(run),
    ...(run.model === undefined ? {} : { model: run.model }),
  });
  if (halving === undefined || runs.length < 2) {
    const parts = runs.map((run) => ({
      ...partOf(run),
      id: `train-${run.id}`,
      needs: run.model === undefined ? [] : [run.model],
    }));
    return { parts, last };
  }
  const without = runs.find(({ config }) => config.valDataset.length === 0);
  if (without)
    throw new UserError(`${where}: halving: it needs a validation loss; give "valDataset" in fineTune`);
  const steps = runs.map(({ config }) => rungSteps(config, halving, where));
  const parts: Part[] = [];
  const whole = digest(
    runs.map(({ id }) => id),
    halving,
  );
  let choice: string | undefined;
  let left = runs.length;
  for (let rung = 0; rung < halving.rungs; rung++) {
    const isLast = rung === halving.rungs - 1;
    const trainings = runs.map((run, i): Part => {
      const stopAt = isLast ? {} : { stopAt: steps[i]![rung]! };
      const needs = choice === undefined ? (run.model === undefined ? [] : [run.model]) : [choice];
      // a part of another sweep's halving goes on with other runs
      const id = isLast ? `train-${run.id}-${whole}` : `train-${run.id}-${steps[i]![rung]}-${whole}`;
      return { ...partOf(run), id, needs, ...stopAt, ...(choice === undefined ? {} : { keptBy: choice }) };
    });
    parts.push(...trainings);
    if (isLast) {
      for (const { id, run } of trainings) last.set(run!, id);
      break;
    }
    left = Math.max(1, Math.ceil(left * (halving.keep ?? 0.5)));
    choice = `choose-${rung + 1}-${whole}`;
    parts.push({ id: choice, kind: 'choose', needs: trainings.map(({ id }) => id), options: {}, keep: left });
  }
  return { parts, last };
}

/**
 * Makes the plan of a sweep, and checks every option of every run and every data set before anything starts.
 * @param where what messages call the description
 * @throws {UserError} in one line for the first mistake
 */
export function planSweep(description: PlacedDescription, where: string): SweepPlan {
  const { outputDir, variants = [{ name: '' }] } = description;
  const combinations = combinationsOf(description, where);
  const contents = new Map<string, string>();
  const loaded: NonNullable<Parameters<typeof loadData>[1]> = new Map();
  const runs: PlannedRun[] = [];
  const parts: Part[] = [];
  const trainedBy = new Map<string, string>();
  for (const variant of variants) {
    const ofVariant = combinations.map((parameters) => {
      const run = checkRun(description, variant, parameters, where, loaded);
      const model = variant.after === undefined ? undefined : trainedBy.get(keyOf(variant.after, parameters));
      const { modelPath, adapterPath, trainDatasets, valDataset } = run.config;
      const paths = [
        modelPath,
        adapterPath ?? '',
        ...[...trainDatasets, ...valDataset].map(([path]: DatasetPair) => path),
      ];
      const id = digest(
        run.fineTune,
        model ?? '',
        paths.map((path) => contentOf(path, contents)),
      );
      return { ...run, id, ...(model === undefined ? {} : { model }) };
    });
    // combinations that differ in their evaluation only share a training
    const trainings = [...new Map(ofVariant.map((run) => [run.id, run])).values()];
    const { parts: training, last } = trainingParts(trainings, description, where);
    parts.push(...training);
    for (const { id, parameters, inferEvaluate } of ofVariant) {
      const trained = last.get(id)!;
      trainedBy.set(keyOf(variant.name, parameters), trained);
      if (inferEvaluate === undefined) {
        runs.push({ id, variant: variant.name, parameters, training: trained });
        continue;
      }
      const { datasetPath } = inferEvaluate as { datasetPath?: string };
      const evaluation = digest(
        trained,
        inferEvaluate,
        datasetPath === undefined ? '' : contentOf(datasetPath, contents),
      );
      runs.push({
        id: evaluation,
        variant: variant.name,
        parameters,
        training: trained,
        evaluation: `eval-${evaluation}`,
      });
      parts.push({
        id: `eval-${evaluation}`,
        kind: 'infer-evaluate',
        run: evaluation,
        needs: [trained],
        model: trained,
        options: {
          ...inferEvaluate,
          outputPath: join(outputDir, 'runs', id, `inference_${evaluation}.json`),
        },
      });
    }
  }
  return { format: 1, outputDir, runs, parts: [...new Map(parts.map((part) => [part.id, part])).values()] };
}

const keyOf = (variant: string, parameters: Combination): string => JSON.stringify([variant, parameters]);
