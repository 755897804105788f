/**
 * A checkpoint's predictions and what they are worth: the base model, the grid encoder and the prompt kind come
 * from the checkpoint's cfg.json, the predictions from a file if it exists, else from inference.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadDataset, loadTasks, requireSolutions } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { answersOf, loadPredictions, taskResultsPath } from '../evaluation/files.js';
import { computeMetrics, type Metrics } from '../evaluation/metrics.js';
import type { Prediction } from '../evaluation/types.js';
import { vote, voteMetrics } from '../evaluation/voting.js';
import { promptKinds } from '../prompts/index.js';
import { type GenerationHooks, type InferOptions, infer, inferDefaults, withoutUndefined } from './infer.js';
import { promptKindFor } from './model-session.js';
import { assertWritableFile } from './output-files.js';

/** Options of {@link inferEvaluate}: those of inference, most of which the checkpoint knows. */
export interface InferEvaluateOptions extends Partial<InferOptions> {
  /** A checkpoint folder of fine-tuning. */
  checkpoint: string;
  /** ARC tasks with solutions; default: the checkpoint's validation set. */
  datasetPath?: string;
  /** Default: a name in the checkpoint folder made of the data set and the settings. */
  outputFilepath?: string;
}

export interface InferEvaluateResult {
  readonly outputFilepath: string;
  /** False when the predictions were there already. */
  readonly inferred: boolean;
  readonly predictions: readonly Prediction[];
  /** Over all predictions. */
  readonly metrics: Metrics;
  /** Over the two winners of the vote for each test input, with the fraction solved by the first 1 and 2. */
  readonly votedMetrics: Metrics & Record<string, number>;
}

/** The part of a checkpoint's cfg.json that inference needs. */
interface CheckpointConfig {
  modelPath: string;
  gridEncoder: string;
  pruneVocab?: boolean;
  trainDatasets?: [string, string, ...unknown[]][];
  valDataset?: [string, string, ...unknown[]][];
}

const pairs = {
  type: 'array',
  items: { type: 'array', minItems: 2, prefixItems: [{ type: 'string' }, { type: 'string' }] },
} as const;
const checkConfig = compileSchema<CheckpointConfig>(
  {
    type: 'object',
    required: ['modelPath', 'gridEncoder'],
    properties: {
      modelPath: { type: 'string', minLength: 1 },
      gridEncoder: { type: 'string', minLength: 1 },
      pruneVocab: { type: 'boolean' },
      trainDatasets: pairs,
      valDataset: pairs,
    },
  },
  "a checkpoint's options",
);

/**
 * Infers with a checkpoint unless the output exists, evaluates all predictions, votes, and evaluates the vote.
 * @throws {UserError} when the folder is no checkpoint or the data set has no solutions, before inference
 */
export async function inferEvaluate(
  options: InferEvaluateOptions & GenerationHooks,
): Promise<InferEvaluateResult> {
  const inference = inferOptions(options);
  const { datasetPath, outputFilepath, promptVersion } = inference;
  promptKindFor(promptVersion, ['output-from-examples'], 'inference');
  const dataset = loadDataset(datasetPath);
  loadTasks(datasetPath);
  requireSolutions(dataset, datasetPath);
  assertWritableFile(outputFilepath, '--output_filepath');

  const details = taskResultsPath(outputFilepath);
  const inferred = !existsSync(outputFilepath);
  if (inferred) await infer({ ...options, ...inference });
  else if (!existsSync(details)) {
    throw new UserError(
      `${outputFilepath} exists, but not the detailed list ${details}, which votes need; ` +
        'move the file away to predict anew, or use arclab evaluate',
    );
  }

  const predictions = loadPredictions(details);
  const votedMetrics = {
    ...computeMetrics(vote(predictions, { n: 2 }), dataset, details).overall,
    ...voteMetrics(predictions, dataset, { ns: [1, 2] }),
  };
  const metrics = computeMetrics(answersOf(predictions), dataset, details).overall;
  if (!inferred) options.onNote?.(`${outputFilepath} exists: no inference`);
  return { outputFilepath, inferred, predictions, metrics, votedMetrics };
}

/** The options of inference with a checkpoint: what is not given comes from its cfg.json. */
export function inferOptions(
  options: InferEvaluateOptions,
): InferOptions & Required<Pick<InferOptions, 'promptVersion'>> {
  const {
    checkpoint,
    onNote: _,
    onProgress: __,
    ...given
  } = withoutUndefined(options as InferEvaluateOptions & GenerationHooks);
  const path = join(checkpoint, 'cfg.json');
  if (!existsSync(path)) {
    throw new UserError(
      `${checkpoint}: expected a checkpoint folder of arclab fine-tune, found no cfg.json in it; ` +
        'for other models use arclab infer and arclab evaluate',
    );
  }
  const config = checkConfig(readJson(path, "a checkpoint's options"), path);
  const validation = config.valDataset?.[0];
  const datasetPath = given.datasetPath ?? validation?.[0];
  if (datasetPath === undefined) {
    throw new UserError(`--dataset_path: ${path} names no validation set, so give one`);
  }
  const adapted = existsSync(join(checkpoint, 'adapter_config.json'));
  const settings = {
    ...(adapted
      ? { modelPath: config.modelPath, adapterPath: checkpoint }
      : // all weights were trained: the checkpoint is a model of its own
        { modelPath: checkpoint }),
    gridEncoder: config.gridEncoder,
    // as it was trained: its probabilities add up to 1 over the same tokens
    pruneVocab: config.pruneVocab ?? false,
    promptVersion: checkpointPromptKind(config, path, given.promptVersion),
    ...given,
    datasetPath,
  };
  // what takes the place of the checkpoint's own makes other predictions
  const replaced = (['modelPath', 'gridEncoder'] as const).flatMap((key) => {
    const value = given[key];
    return value === undefined || value === config[key] ? [] : [encodeURIComponent(value)];
  });
  return {
    ...settings,
    outputFilepath: given.outputFilepath ?? join(checkpoint, outputName(settings, replaced)),
  };
}

/** The kind it was validated with, else the first that it was trained on, that asks for an output. */
function checkpointPromptKind(config: CheckpointConfig, path: string, given?: string): string {
  if (given !== undefined) return given;
  const names = [...(config.valDataset ?? []), ...(config.trainDatasets ?? [])].map(([, kind]) => kind);
  const name = names.find((candidate) => promptKinds.get(candidate)?.task === 'output-from-examples');
  if (name === undefined) {
    throw new UserError(
      `${path}: was trained on no prompt kind that asks for an output (${[...new Set(names)].join(', ')}); ` +
        'give one with --prompt_version',
    );
  }
  return name;
}

/** Options that change predictions, in the order in which they are named. */
const named = {
  temperature: 't',
  topK: 'topk',
  topP: 'topp',
  seed: 'seed',
  maxSeqLen: 'len',
  maxOutputTokens: 'out',
} as const;

/** `inference_evaluation_x8_output-from-examples-v1.json`, with every setting that is not the default. */
function outputName(
  settings: Partial<InferOptions> & { datasetPath: string; promptVersion: string },
  replaced: readonly string[],
): string {
  const o = { ...inferDefaults, ...settings };
  const parts = [
    `inference_${basename(o.datasetPath).replace(/\.json$/, '')}`,
    `x${o.predictionsPerTask}`,
    o.promptVersion,
    ...replaced,
  ];
  const defaults: Record<string, unknown> = inferDefaults;
  for (const [key, label] of Object.entries(named)) {
    const value = (o as Record<string, unknown>)[key];
    if (value !== undefined && value !== defaults[key]) parts.push(`${label}${value}`);
  }
  if (o.constrained) parts.push('constrained');
  if (o.pruneVocab) parts.push('pruned');
  for (const kind of ['geometric', 'color', 'order'] as const) {
    if (!o[`${kind}Augmentation`]) parts.push(`no-${kind}`);
  }
  return `${parts.join('_')}.json`;
}
