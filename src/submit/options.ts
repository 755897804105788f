/** @file The options of a submission: checked, and handed on to child processes and to fine-tuning. */
import { UserError } from '../common/errors.js';
import { OptionError } from '../common/option-names.js';
import { rules } from '../evaluation/selection.js';
import type { TestTimeFineTuneOptions } from '../experiments/test-time-fine-tune.js';
import { adapterSizeOptions } from '../options/adapter.js';
import { augmentationOptions, promptVersionOption } from '../options/decoding.js';
import { modelOptions, seedOption } from '../options/model.js';
import { recipes, submitOptions, workerTable } from '../options/submit.js';
import { type ConfigOf, type OptionsOf, pick } from '../options/table.js';
import type { sessionFineTuneOnTaskOptions } from '../options/training.js';
import { type BackendEntry, knownBackends } from '../tensors/backend.js';
import { parseDevice } from '../tensors/device.js';

/** Options of {@link submit}. */
export type SubmitOptions = OptionsOf<typeof submitOptions.table>;

/** What an option of a submission is when it is not given. */
export const submitDefaults = submitOptions.defaults;

/** Options with every default filled in. */
export type SubmitConfig = ConfigOf<typeof submitOptions.table>;

/** Fills in the defaults and checks what needs no file. @throws {UserError} naming the option */
export function submitConfig(options: SubmitOptions, onNote?: (text: string) => void): SubmitConfig {
  const given = submitOptions.given(options, onNote);
  const recipe = recipes[given.recipe ?? submitDefaults.recipe];
  const withoutTuning = given.fineTuneSteps === 0 ? { fineTunePerTask: false } : {};
  const o = submitOptions.check({ ...recipe, ...withoutTuning, ...given });
  const { devices = o.device === undefined ? [] : [o.device], backend } = o;
  if (o.device !== undefined && o.devices !== undefined) {
    throw new UserError('`devices`: one of `device` and `devices` is enough');
  }
  const entry = backendOf(o);
  if (!entry) {
    const names = knownBackends().map((candidate) => candidate.name);
    const name = backend || process.env.ARCLAB_BACKEND;
    throw new UserError(`\`backend\`: unknown backend "${name}". Known: ${names.join(', ')}`);
  }
  for (const [i, device] of devices.entries()) {
    if (parseDevice(device, entry.takesDevice).type !== 'cpu' && !entry.takesDevice) {
      throw new UserError(
        `\`device: ${device}\`: the backend ${entry.name} has no GPUs; choose \`backend: torch\``,
      );
    }
    if (devices.indexOf(device) !== i) throw new UserError(`\`devices\`: ${device} is named twice`);
  }
  checkTuning(o);
  checkSearch(o);
  return o;
}

/** @throws {OptionError} for what only a search can use */
function checkSearch(o: SubmitConfig): void {
  if (o.searchViews > 0) return;
  const alone = [
    'searchThreshold',
    'searchMaxCandidates',
    'searchMaxForwardTokens',
    'searchMaxSeconds',
  ] as const;
  const wrong = alone.find((name) => o[name] !== (submitDefaults as Partial<SubmitConfig>)[name]);
  if (wrong) throw new OptionError(wrong, { hint: 'it needs `searchViews`, the views of the search' });
  if (o.method === undefined || !rules[o.method].needsScores) return;
  throw new OptionError('method', {
    found: o.method,
    hint: 'it compares scores under common views, which only a search makes: set `searchViews`',
  });
}

/** @throws {OptionError} for options of fine-tuning that mean nothing beside the others */
function checkTuning(o: SubmitConfig): void {
  if (o.fineTunePerTask) {
    if (o.fineTuneSteps === 0) {
      throw new OptionError('fineTunePerTask', { hint: 'it needs `fineTuneSteps`, the steps for each task' });
    }
    if (o.fineTuneGroups !== undefined) {
      throw new OptionError('fineTuneGroups', {
        hint: 'with `fineTunePerTask` each task is a group of its own',
      });
    }
    return;
  }
  const alone = ['fineTuneStopLoss', 'fineTuneStopWhenSolved'] as const;
  const wrong = alone.find((name) => o[name] !== submitDefaults[name]);
  if (wrong) throw new OptionError(wrong, { hint: 'it needs `fineTunePerTask`' });
}

/** The backend that will be used: the named one, else the best that is there. */
export function backendOf({ backend }: { backend?: string | undefined }): BackendEntry | undefined {
  const name = backend || process.env.ARCLAB_BACKEND;
  return knownBackends().find((entry) => (name ? entry.name === name : entry.isPresent()));
}

/** What a child process needs to know: everything of the options that its work depends on. */
export type WorkerConfig = ConfigOf<typeof workerTable>;

/** The part of the options that is sent to a child. */
export const workerConfig = (config: SubmitConfig): WorkerConfig => pick(config, workerTable);

/** The options that a submission hands on to its fine-tuning under the same name. */
const fineTuningTable = {
  ...modelOptions,
  ...seedOption,
  ...promptVersionOption,
  ...augmentationOptions,
  ...adapterSizeOptions,
};

/** What fine-tuning on a task and on a group of tasks have in common, under their names for it. */
function sharedOptions(config: SubmitConfig) {
  return {
    maxSteps: config.fineTuneSteps,
    learningRate: config.fineTuneLearningRate,
    lrSchedulerType: config.fineTuneLrSchedulerType,
    batchSize: config.fineTuneBatchSize,
    lossOn: config.fineTuneLossOn,
    maxSeqLen: config.fineTuneMaxSeqLen,
  };
}

/** The options of test-time fine-tuning, but for its tasks, its folder, and whether it continues what is there. */
export function fineTuningOptions(
  config: SubmitConfig,
): Omit<TestTimeFineTuneOptions, 'taskIds' | 'outputDir' | 'resumeFromCheckpoint'> {
  // what a submission and a fine-tuning call by different names is set below
  const { device: _, maxSeqLen: __, ...shared } = pick(config, fineTuningTable);
  return {
    ...shared,
    ...sharedOptions(config),
    datasetPath: config.challengesPath,
    saveSteps: Math.ceil(config.fineTuneSteps / config.fineTuneCheckpoints),
  };
}

/** Options of the fine-tuning on each task. */
export type TaskTuningOptions = OptionsOf<typeof sessionFineTuneOnTaskOptions.table>;

/** What a child process needs to know to fine-tune on each task; undefined where it does not. */
export function taskTuningOptions(config: SubmitConfig): TaskTuningOptions | undefined {
  if (!config.fineTunePerTask) return undefined;
  return {
    ...pick(config, { ...seedOption, ...promptVersionOption, ...augmentationOptions, ...adapterSizeOptions }),
    ...sharedOptions(config),
    stopLoss: config.fineTuneStopLoss,
    stopWhenSolved: config.fineTuneStopWhenSolved,
  };
}
