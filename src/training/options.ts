import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TaskAugmentationWeights } from '../arc/task-augmentation.js';
import { OptionError, option } from '../common/option-names.js';
import { type ConfigOf, type DatasetPair, leavesOf, type OptionsOf } from '../options/table.js';
import { fineTuneOptions } from '../options/training.js';
import { isTemplateFile } from '../prompts/prompt-kinds.js';

/** Options of a fine-tuning run. */
export type FineTuneFileOptions = OptionsOf<typeof fineTuneOptions.table>;

type DerivedOption =
  | 'valDataset'
  | 'saveSteps'
  | 'warmupRatio'
  | 'warmupSteps'
  | 'lrNumCycles'
  | 'maxTokensPerBatch';
type Checked = ConfigOf<typeof fineTuneOptions.table>;

/** Options with every default filled in: what cfg.json of a checkpoint holds. */
export type FineTuneConfig = Checked & Required<Pick<Checked, DerivedOption | 'lossWeights'>>;

/** @throws {OptionError} when weights leave nothing to draw */
function checkTaskWeights({ counts, kinds, sides }: Partial<TaskAugmentationWeights>): void {
  for (const [name, list] of Object.entries({ counts: counts?.slice(1), kinds, sides })) {
    if (list && !Object.values(list).some((value) => value > 0)) {
      const where = name === 'counts' ? 'counts beyond the first' : name;
      throw new OptionError('taskAugmentationWeights', { expected: `a positive weight in ${where}` });
    }
  }
}

/** A path that means the same from any working directory; a hub id stays as it is. */
function absolute(path: string): string {
  return existsSync(path) ? resolve(path) : path;
}

const absolutePairs = (pairs: readonly DatasetPair[]): DatasetPair[] =>
  pairs.map(([path, name, weight]) => {
    const kind = isTemplateFile(name) ? absolute(name) : name;
    return weight === undefined ? [absolute(path), kind] : [absolute(path), kind, weight];
  });

/** What part of the steps the learning rate rises in, where nothing is said. */
const WARMUP_RATIO = 0.05;

/** Fills in the defaults and checks what needs no file. @throws {OptionError} naming the option */
export function fineTuneConfig(
  options: FineTuneFileOptions,
  onNote?: (text: string) => void,
): FineTuneConfig {
  const o = fineTuneOptions.check(options, onNote);
  checkAdapter(o);
  if (o.taskAugmentationWeights)
    checkTaskWeights(o.taskAugmentationWeights as Partial<TaskAugmentationWeights>);
  const weighted = o.valDataset?.find(([, , weight]) => weight !== undefined);
  if (weighted) {
    throw new OptionError('valDataset', {
      expected: `no weight for ${weighted[0]}`,
      found: weighted[2],
      hint: 'every validation sample counts once',
    });
  }
  checkBest(o);
  return {
    ...filledSteps(o),
    modelPath: absolute(o.modelPath),
    ...(o.adapterPath === undefined ? {} : { adapterPath: absolute(o.adapterPath) }),
    trainDatasets: absolutePairs(o.trainDatasets),
    valDataset: absolutePairs(o.valDataset ?? []),
    outputDir: resolve(o.outputDir),
    saveSteps: o.saveSteps ?? o.evalSteps,
    lossWeights: o.lossWeights ?? {},
  };
}

/** What says how steps are taken, and what it is where it is not given. */
type StepOptions = Pick<Checked, 'lrSchedulerType' | 'maxSteps' | 'maxSeqLen'> &
  Partial<Pick<Checked, Steps>>;
type Steps = 'warmupRatio' | 'warmupSteps' | 'lrNumCycles' | 'maxTokensPerBatch';

/** Fills in what depends on other options of steps. @throws {OptionError} when they contradict each other */
export function filledSteps<T extends StepOptions>(o: T): T & Required<Pick<Checked, Steps>> {
  const isCyclic = o.lrSchedulerType === 'cyclic';
  if (isCyclic && ((o.warmupSteps ?? 0) > 0 || (o.warmupRatio ?? 0) > 0)) {
    throw new OptionError(o.warmupSteps ? 'warmupSteps' : 'warmupRatio', {
      hint: 'the cyclic schedule rises by itself; leave the warmup out',
    });
  }
  const warmupRatio = isCyclic ? 0 : (o.warmupRatio ?? WARMUP_RATIO);
  return {
    ...o,
    warmupRatio,
    warmupSteps: o.warmupSteps ?? Math.ceil(warmupRatio * o.maxSteps),
    lrNumCycles: o.lrNumCycles ?? (isCyclic ? 4 : 1),
    maxTokensPerBatch: o.maxTokensPerBatch ?? o.maxSeqLen,
  };
}

/** @throws {OptionError} when the best checkpoint is asked for and nothing says which is best */
function checkBest(o: Checked): void {
  const { valDataset = [], metricForBestModel } = o;
  const wanted = o.loadBestModelAtEnd ? 'loadBestModelAtEnd' : 'earlyStoppingPatience';
  const asked = o.loadBestModelAtEnd || o.earlyStoppingPatience > 0;
  if (asked && valDataset.length === 0) {
    throw new OptionError(wanted, { hint: 'it needs a validation loss; give `valDataset`' });
  }
  const kinds = valDataset.map(([, kind]) => kind);
  if (metricForBestModel !== undefined && !kinds.includes(metricForBestModel)) {
    throw new OptionError('metricForBestModel', {
      expected: `a prompt kind of \`valDataset\` (${[...new Set(kinds)].join(', ') || 'there is none'})`,
      found: metricForBestModel,
    });
  }
}

/** @throws {OptionError} for options of an adapter that contradict each other */
function checkAdapter({ useLora, lora, adapterPath }: Checked): void {
  const { useDora, useRslora, initWeights } = lora;
  if (
    useLora &&
    useDora &&
    (initWeights === 'pissa' || initWeights === 'olora') &&
    adapterPath === undefined
  ) {
    throw new OptionError('lora.useDora', {
      hint: `it cannot be combined with ${option('lora.initWeights', initWeights)}`,
    });
  }
  if (useLora) return;
  const { excludeModules, modulesToSave, rankPattern, alphaPattern } = lora;
  const asked = {
    useDora,
    useRslora,
    excludeModules,
    modulesToSave,
    rankPattern,
    alphaPattern,
  };
  const isAsked = (value: boolean | object = {}) =>
    typeof value === 'boolean' ? value : Object.keys(value).length > 0;
  const unused = Object.entries(asked).find(([, value]) => isAsked(value))?.[0];
  if (unused !== undefined) {
    throw new OptionError(`lora.${unused}`, {
      hint: `${option('useLora', false)} trains all weights and has no adapter; leave one of the two out`,
    });
  }
  if (adapterPath !== undefined) {
    throw new OptionError('adapterPath', {
      hint: `it cannot be combined with ${option('useLora', false)}; merge the adapter first`,
    });
  }
}

/**
 * What differs between a run and the options to continue it with, in words; empty when they match.
 * @param saved the options of the run, perhaps of an earlier version
 */
export function configDifferences(saved: object, now: Readonly<Record<string, unknown>>): string[] {
  const before = fineTuneOptions.upgrade(saved);
  const free = new Set(
    leavesOf(fineTuneOptions.table).flatMap(({ name, spec }) => (spec.free ? [name] : [])),
  );
  // steps of the warmup that follow from a ratio change with the run's length
  if (before.maxSteps !== now.maxSteps) free.add('warmupSteps');
  const [a, b] = [namedValues(before), namedValues(now)];
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((name) =>
    a.get(name) === b.get(name) || free.has(name)
      ? []
      : [`${option(name)} was ${a.get(name) ?? 'not given'} and is ${b.get(name) ?? 'not given'}`],
  );
}

/** Values as JSON by name, those of parts by theirs. */
function namedValues(config: Readonly<Record<string, unknown>>): Map<string, string> {
  const { parts } = fineTuneOptions.table.lora;
  const { lora, ...others } = config;
  const entries = [
    ...Object.entries(others),
    ...Object.keys(parts).map((part) => [`lora.${part}`, (lora as Record<string, unknown>)[part]] as const),
  ];
  return new Map(
    entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.stringify(value)]])),
  );
}
