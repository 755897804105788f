import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../common/errors.js';
import type { VotingMethod } from '../evaluation/voting.js';
import { knownBackends } from '../tensors/backend.js';
import { parseDevice } from '../tensors/device.js';
import { fineTuneDefaults } from '../training/options.js';
import { type DecodingOptions, inferDefaults, withoutUndefined } from './infer.js';
import type { ModelOptions } from './model-session.js';
import type { AugmentationToggles } from './predictions.js';
import type { WorkerConfig } from './submit-protocol.js';
import { checkSubmitOptions } from './submit-schema.js';
import type { TestTimeFineTuneOptions } from './test-time-fine-tune.js';

/** Options of {@link submit}; each is the flag of the same name in snake_case. */
export interface SubmitOptions extends ModelOptions, DecodingOptions, AugmentationToggles {
  /** `arc-agi_test_challenges.json`; where the outputs are known too, the submission is scored. */
  challengesPath: string;
  /** Where `submission.json`, its detailed predictions, `failures.json` and the fine-tuning go. */
  outputDir: string;
  promptVersion?: string;
  /** The most predictions for each test input; with a time budget as many of them as fit. */
  predictionsPerTask?: number;
  /** Seconds from the call to the end, all writing included; none when absent. */
  timeBudget?: number;
  /** The most steps of test-time fine-tuning; 0 = none. */
  fineTuneSteps?: number;
  /** The part of the time budget that fine-tuning may take. */
  fineTuneShare?: number;
  /** Fine-tune so many groups of tasks apart, each with an adapter of its own; default: one for each device. */
  fineTuneGroups?: number;
  fineTuneLearningRate?: number;
  fineTuneBatchSize?: number;
  /** Train samples are left out of longer prompts. */
  fineTuneMaxSeqLen?: number;
  /** Of a fresh adapter; a given one keeps its own. */
  loraR?: number;
  loraAlpha?: number;
  /** Devices such as `cuda:0`, one process for each; default: all GPUs when there are several. */
  devices?: readonly string[];
  /** Processes for each device. */
  processes?: number;
  method?: VotingMethod;
}

/** What an option of a submission is when it is not given. */
export const submitDefaults = {
  ...inferDefaults,
  // every answer is a grid, so that none is lost
  constrained: true,
  predictionsPerTask: 32,
  fineTuneSteps: 0,
  // Nobody knows beforehand whether learning or voting pays more; with half of the time for each, neither can
  // get less than half of what would have been best for it.
  fineTuneShare: 0.5,
  fineTuneLearningRate: fineTuneDefaults.learningRate,
  fineTuneBatchSize: fineTuneDefaults.batchSize,
  fineTuneMaxSeqLen: fineTuneDefaults.maxSeqLen,
  loraR: fineTuneDefaults.loraR,
  loraAlpha: fineTuneDefaults.loraAlpha,
  processes: 1,
  method: 'count-logprob' as VotingMethod,
} as const;

/** Options with every default filled in. */
export type SubmitConfig = SubmitOptions & Required<Pick<SubmitOptions, keyof typeof submitDefaults>>;

/** Fills in the defaults and checks what needs no file. @throws {UserError} naming the flag */
export function submitConfig(options: SubmitOptions): SubmitConfig {
  const given = checkSubmitOptions(withoutUndefined(options), 'submit');
  const o = { ...submitDefaults, ...given } as SubmitConfig;
  const wholes = [
    ['predictions_per_task', o.predictionsPerTask, 1],
    ['batch_size', o.batchSize, 1],
    ['processes', o.processes, 1],
    ['fine_tune_steps', o.fineTuneSteps, 0],
    ['fine_tune_groups', o.fineTuneGroups ?? 1, 1],
    ['fine_tune_batch_size', o.fineTuneBatchSize, 1],
    ['fine_tune_max_seq_len', o.fineTuneMaxSeqLen, 2],
    ['seed', o.seed, Number.MIN_SAFE_INTEGER],
  ] as const;
  for (const [name, value, least] of wholes) {
    if (!Number.isInteger(value) || value < least) {
      throw new UserError(`--${name}: expected an integer of at least ${least}, found ${value}`);
    }
  }
  const { fineTuneShare, timeBudget, devices = o.device === undefined ? [] : [o.device], backend } = o;
  if (!(fineTuneShare > 0 && fineTuneShare < 1)) {
    throw new UserError(`--fine_tune_share: expected a number between 0 and 1, found ${fineTuneShare}`);
  }
  if (timeBudget !== undefined && !(timeBudget > 0 && Number.isFinite(timeBudget))) {
    throw new UserError(`--time_budget: expected a positive number of seconds, found ${timeBudget}`);
  }
  if (o.devices?.length === 0) throw new UserError('--devices: expected at least one device, found none');
  if (o.device !== undefined && o.devices !== undefined) {
    throw new UserError('--devices: one of --device and --devices is enough');
  }
  const known = knownBackends();
  const name = backend || process.env.ARCLAB_BACKEND;
  const entry = name ? known.find((candidate) => candidate.name === name) : bestBackend();
  if (!entry) {
    const names = known.map((candidate) => candidate.name).join(', ');
    throw new UserError(`--backend: unknown backend "${name}". Known: ${names}`);
  }
  for (const [i, device] of devices.entries()) {
    if (parseDevice(device).type !== 'cpu' && !entry.takesDevice) {
      throw new UserError(
        `--device ${device}: the backend ${entry.name} has no GPUs; choose --backend torch`,
      );
    }
    if (devices.indexOf(device) !== i) throw new UserError(`--devices: ${device} is named twice`);
  }
  return o;
}

/** The backend that is used when none is named. */
const bestBackend = () => knownBackends().find((entry) => entry.isPresent());

/** Starting a process and reading weights, on a machine that is not fast. */
const LOADING = { seconds: 2, bytesPerSecond: 250e6 };

/** Seconds that are kept at the end, for ending the processes and writing the files. */
export const endingSeconds = (timeBudget: number): number => Math.max(1, Math.min(60, 0.02 * timeBudget));

/**
 * Makes sure that a time budget is longer than loading the model takes, by an estimate from the size of its files.
 * @throws {UserError} when not
 */
export function checkTimeBudget(
  { timeBudget, fineTuneSteps, fineTuneShare }: SubmitConfig,
  folder: string,
): void {
  if (timeBudget === undefined) return;
  const weights = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
    : [];
  const bytes = weights.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const loading = LOADING.seconds + bytes / LOADING.bytesPerSecond;
  const part = fineTuneSteps > 0 ? Math.min(fineTuneShare, 1 - fineTuneShare) : 1;
  const least = Math.ceil(loading / part + endingSeconds(timeBudget));
  if (timeBudget >= least) return;
  throw new UserError(
    `--time_budget ${timeBudget}s: expected at least ${least}s: loading the model from ${folder} ` +
      `${fineTuneSteps > 0 ? 'for fine-tuning and for predictions ' : ''}takes about that long`,
  );
}

/** What a child needs to know. The adapter is not among it: that may change on the way. */
const workerOptions = [
  'challengesPath',
  'promptVersion',
  'modelPath',
  'gridEncoder',
  'maxSeqLen',
  'pruneVocab',
  'backend',
  'torchDtype',
  'temperature',
  'topK',
  'topP',
  'batchSize',
  'maxOutputTokens',
  'constrained',
  'seed',
  'geometricAugmentation',
  'colorAugmentation',
  'orderAugmentation',
] as const satisfies readonly (keyof WorkerConfig)[];

/** The part of the options that is sent to a child. */
export function workerConfig(config: SubmitConfig): WorkerConfig {
  const entries = workerOptions.map((name) => [name, config[name]]);
  return Object.fromEntries(entries) as Pick<SubmitConfig, (typeof workerOptions)[number]>;
}

/** How many checkpoints fine-tuning writes on its way: what is lost when its process ends is the rest. */
const CHECKPOINTS = 10;

/** The options of test-time fine-tuning, but for its tasks and its folder. */
export function fineTuningOptions(
  config: SubmitConfig,
): Omit<TestTimeFineTuneOptions, 'taskIds' | 'outputDir'> {
  const { modelPath, adapterPath, gridEncoder, pruneVocab, backend, torchDtype, promptVersion, seed } =
    config;
  const { geometricAugmentation, colorAugmentation, orderAugmentation, loraR, loraAlpha } = config;
  return {
    ...{ modelPath, adapterPath, gridEncoder, pruneVocab, backend, torchDtype, promptVersion, seed },
    ...{ geometricAugmentation, colorAugmentation, orderAugmentation, loraR, loraAlpha },
    datasetPath: config.challengesPath,
    maxSteps: config.fineTuneSteps,
    saveSteps: Math.ceil(config.fineTuneSteps / CHECKPOINTS),
    learningRate: config.fineTuneLearningRate,
    batchSize: config.fineTuneBatchSize,
    maxSeqLen: config.fineTuneMaxSeqLen,
    resumeFromCheckpoint: false,
  };
}
