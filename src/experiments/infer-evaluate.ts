/**
 * A checkpoint's predictions and their metrics: the base model, the grid encoder and the prompt kind come
 * from the checkpoint's cfg.json, the predictions from a file if it was made from the same data set, checkpoint and
 * options, else from inference.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { firstTasks, loadDataset, loadTasks, requireSolutions } from '../arc/dataset.js';
import type { Dataset } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { notesTo } from '../common/events.js';
import { readJson, readText, writeJson } from '../common/files.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { partialPath } from '../common/journal.js';
import { outputFile, withLock, withoutLock } from '../common/lock.js';
import { OptionError } from '../common/option-names.js';
import { assertWritableFile } from '../common/output-files.js';
import { isFromBeforeRerun } from '../common/rerun.js';
import { compileSchema } from '../common/schema.js';
import { answersOf, loadPredictions, taskResultsPath } from '../evaluation/files.js';
import { computeMetrics, type Metrics } from '../evaluation/metrics.js';
import type { Prediction } from '../evaluation/types.js';
import { vote, voteMetrics } from '../evaluation/voting.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { inferEvaluateOptions, inferOptions as inferenceOptions } from '../options/inference.js';
import type { OptionSpec, OptionsOf } from '../options/table.js';
import { findPromptKind } from '../prompts/index.js';
import { recordEvaluation } from '../records/flows.js';
import { effectiveOptions } from '../session/identity.js';
import { promptKindFor } from '../session/prompts.js';
import { heardBy, lockingOf, type Sharing } from '../session/sharing.js';
import { alone } from '../tensors/collective/alone.js';
import type { FineTuneConfig } from '../training/options.js';
import { type GenerationHooks, type InferFileOptions, infer } from './infer.js';

/** Options of {@link inferEvaluate}: those of inference, most of which the checkpoint knows. */
export type InferEvaluateOptions = OptionsOf<typeof inferEvaluateOptions.table>;

export interface InferEvaluateResult {
  readonly outputPath: string;
  /** False when the predictions were there already, made from the same data set, checkpoint and options. */
  readonly inferred: boolean;
  readonly predictions: readonly Prediction[];
  /** Over all predictions. */
  readonly metrics: Metrics;
  /** Over the two winners of the vote for each test input, with the fraction solved by the first 1 and 2. */
  readonly votedMetrics: Metrics & Record<string, number>;
}

/** The part of a checkpoint's cfg.json that inference needs. */
type CheckpointConfig = Pick<FineTuneConfig, 'modelPath' | 'gridEncoder'> &
  Partial<Pick<FineTuneConfig, 'pruneVocab' | 'trainDatasets' | 'valDataset'>>;

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
 * Infers with a checkpoint unless the output was made from the same before, evaluates all predictions, votes, and
 * evaluates the vote.
 * @throws {UserError} when the folder is no checkpoint or the data set has no solutions, before inference
 */
export async function inferEvaluate(
  options: InferEvaluateOptions & GenerationHooks & Sharing,
): Promise<InferEvaluateResult> {
  const { onEvent: tell, signal, ranks = alone, ...settings } = options;
  const onEvent = heardBy(ranks, tell);
  const onNote = notesTo(onEvent);
  const inference = checkpointInferOptions(settings, onNote);
  const { datasetPath, outputPath, promptVersion } = inference;
  promptKindFor(promptVersion, ['output-from-examples', 'output-from-code'], 'inference');
  const dataset = firstTasks(loadDataset(datasetPath), settings.nTasks);
  loadTasks(datasetPath);
  requireSolutions(dataset, datasetPath);
  assertWritableFile(outputPath, '`outputPath`');

  const details = taskResultsPath(outputPath);
  const inputs = inputsOf(inference, dataset, settings.checkpoint);
  const inferOnce = async (stopping: AbortSignal) => {
    const isNamed = settings.outputPath !== undefined;
    const reuse = await ranks.first(() => whatToDo(inputs, outputPath, isNamed));
    if (reuse.note !== undefined) onNote(reuse.note);
    if (!reuse.inferred) return false;
    const onSaved = () => {
      const content = { ...inputs, results: resultsOf(outputPath) };
      writeJson(inputsPath(outputPath), content);
    };
    await infer({ ...inference, onEvent, signal: stopping, ranks }, { onSaved, locking: withoutLock });
    return true;
  };
  const facts = { given: settings, config: { ...inferenceOptions.defaults, ...inference }, data: inputs };
  const { checkpoint } = settings;
  return lockingOf(ranks, withLock)(
    outputFile(outputPath),
    (stopping) => {
      const run = async () => {
        const inferred = await inferOnce(stopping);
        return { ...(await ranks.first(() => evaluated(outputPath, dataset))), inferred };
      };
      return ranks.isFirst
        ? recordEvaluation({ ...facts, checkpoint, details, ranks: ranks.size }, run)
        : run();
    },
    signal,
  );
}

/** Metrics of the predictions of a file, and of the vote on them. */
function evaluated(outputPath: string, dataset: Dataset): Omit<InferEvaluateResult, 'inferred'> {
  const details = taskResultsPath(outputPath);
  const predictions = loadPredictions(details);
  const votedMetrics = {
    ...computeMetrics(vote(predictions, { n: 2 }), dataset, details).overall,
    ...voteMetrics(predictions, dataset, { ns: [1, 2] }),
  };
  const metrics = computeMetrics(answersOf(predictions), dataset, details).overall;
  return { outputPath, predictions, metrics, votedMetrics };
}

/** What predictions are made from: a digest of each. */
type PredictionInputs = Readonly<Record<'dataset' | 'checkpoint' | 'base' | 'options', string>>;

const checkInputs = compileSchema<Partial<PredictionInputs> & { results?: string }>(
  { type: 'object', additionalProperties: { type: 'string' } },
  'the inputs of predictions',
);

/** Where what the predictions of a file were made from is kept: `inference_inputs.json`. */
function inputsPath(outputPath: string): string {
  return `${outputPath.replace(/\.json$/, '')}_inputs.json`;
}

/** The digest of predictions: they may have been changed, or a kill may have come between them and their inputs. */
function resultsOf(outputPath: string): string {
  return fingerprintOf([outputPath, taskResultsPath(outputPath)].map((path) => readText(path)));
}

function inputsOf(
  inference: InferFileOptions,
  dataset: ReadonlyMap<string, unknown>,
  checkpoint: string,
): PredictionInputs {
  const { modelPath } = inference;
  const options = effectiveOptions({ ...inferenceOptions.defaults, ...inference }).filter(
    // changes no prediction but by the last bits of its log-probability
    ([name]) => name !== 'batchSize',
  );
  return {
    dataset: fingerprintOf(dataset),
    checkpoint: fingerprintModel(checkpoint),
    // a checkpoint of all weights has no base; a model of the hub has not been looked for yet, and is known by its name
    base: modelPath === checkpoint ? '' : existsSync(modelPath) ? fingerprintModel(modelPath) : modelPath,
    options: fingerprintOf(options),
  };
}

/**
 * Whether to predict, and what to say.
 * @throws {UserError} when a file that a person named has results of another origin, which would be overwritten
 */
function whatToDo(
  inputs: PredictionInputs,
  outputPath: string,
  named: boolean,
): { inferred: boolean; note?: string } {
  if (!existsSync(outputPath) || isFromBeforeRerun(outputPath)) return { inferred: true };
  // a run that was killed between writing its results and removing the partial ones
  if (existsSync(partialPath(outputPath))) return { inferred: true };
  const path = inputsPath(outputPath);
  const before =
    existsSync(path) && existsSync(taskResultsPath(outputPath))
      ? checkInputs(readJson(path, 'the inputs of predictions'), path)
      : {};
  const complete = before.results !== undefined && before.results === resultsOf(outputPath);
  if (!complete && named) {
    throw new UserError(
      `${outputPath} exists, but nothing says that it was predicted by infer-evaluate; ` +
        'move the file away to predict anew, or use arclab evaluate',
    );
  }
  const changed = (Object.keys(inputs) as (keyof PredictionInputs)[]).filter(
    (name) => before[name] !== inputs[name],
  );
  if (complete && changed.length === 0)
    return { inferred: false, note: `${outputPath} is up to date: no inference` };
  const what = complete
    ? `was made with another ${changed.join(' and ')}`
    : 'does not say what it was made from';
  return { inferred: true, note: `${outputPath} ${what}: predicting anew` };
}

/** The options of inference with a checkpoint: what is not given comes from its cfg.json. */
export function checkpointInferOptions(
  options: InferEvaluateOptions,
  onNote?: (text: string) => void,
): InferFileOptions & Required<Pick<InferFileOptions, 'promptVersion'>> {
  const { checkpoint, ...given } = inferEvaluateOptions.given(options, onNote);
  if (checkpoint === undefined) throw new OptionError('checkpoint', { hint: 'it is missing' });
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
    throw new UserError(`\`datasetPath\`: ${path} names no validation set, so give one`);
  }
  const adapted = existsSync(join(checkpoint, 'adapter_config.json'));
  const settings = {
    ...(adapted
      ? { modelPath: config.modelPath, adapterPath: checkpoint }
      : // all weights were trained: the checkpoint is a model of its own
        { modelPath: checkpoint }),
    gridEncoder: config.gridEncoder,
    // as it was trained: its probabilities are normalised over the same tokens
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
    outputPath: given.outputPath ?? join(checkpoint, outputName(settings, replaced)),
  };
}

/** The kind it was validated with, else the first that it was trained on, that asks for an output. */
function checkpointPromptKind(config: CheckpointConfig, path: string, given?: string): string {
  if (given !== undefined) return given;
  const names = [...(config.valDataset ?? []), ...(config.trainDatasets ?? [])].map(([, kind]) => kind);
  const name = names.find((candidate) => findPromptKind(candidate)?.task === 'output-from-examples');
  if (name === undefined) {
    throw new UserError(
      `${path}: was trained on no prompt kind that asks for an output (${[...new Set(names)].join(', ')}); ` +
        'give one with `promptVersion`',
    );
  }
  return name;
}

/** `inference_evaluation_x8_output-from-examples-v1.json`, with every setting that is not the default. */
function outputName(
  settings: Partial<InferFileOptions> & { datasetPath: string; promptVersion: string },
  replaced: readonly string[],
): string {
  const o: Record<string, unknown> = { ...inferenceOptions.defaults, ...settings };
  const differences = Object.entries<OptionSpec>(inferenceOptions.table).flatMap(([name, spec]) => {
    const { label } = spec;
    const value = o[name];
    if (label === undefined || value === undefined || value === spec.default) return [];
    return typeof value === 'boolean' ? [value ? label : `no-${label}`] : [`${label}${value}`];
  });
  const parts = [
    `inference_${basename(settings.datasetPath).replace(/\.json$/, '')}`,
    `x${o.predictionsPerTask}`,
    settings.promptVersion,
    ...replaced,
    ...differences,
  ];
  return `${parts.join('_')}.json`;
}
