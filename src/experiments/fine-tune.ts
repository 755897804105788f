/**
 * Fine-tuning, top to bottom: check everything that can be known without the model, open the sample stream,
 * load the model, continue or start, then steps, validation and checkpoints until the end.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { assertWritableFolder, buildFile } from '../common/files.js';
import { Rng } from '../common/rng.js';
import { type Decoder, downloadNotes, loadDecoder, resolveModel } from '../models/index.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { promptVocabulary } from '../prompts/prompt-vocabulary.js';
import type { ChatTokenizer } from '../prompts/tokenizer.js';
import { initBackend } from '../tensors/backend.js';
import {
  listCheckpoints,
  readCheckpoint,
  removeLeftovers,
  setAsideEarlierRun,
  type TrainerState,
} from '../training/checkpoints.js';
import { CheckpointError, NothingFitsError } from '../training/errors.js';
import type { FineTuneEvent } from '../training/events.js';
import {
  configDifferences,
  type FineTuneConfig,
  type FineTuneOptions,
  fineTuneConfig,
} from '../training/options.js';
import { Pace } from '../training/pace.js';
import { Run, type RunResult } from '../training/run.js';
import { type TrainingSample, validationSet } from '../training/sample-source.js';
import { SampleStream } from '../training/sample-stream.js';
import {
  buildPairs,
  checkLossWeights,
  type LoadedDatasets,
  loadPairs,
  openSampleSource,
  type TrainingDataSpec,
} from '../training/training-data.js';
import { openTokenizer } from './model-session.js';

export type { FineTuneEvent } from '../training/events.js';
export type { FineTuneOptions } from '../training/options.js';
export type { RunResult as FineTuneResult } from '../training/run.js';

/** How a program follows a run and stops it. */
export interface FineTuneHooks {
  onEvent?: (event: FineTuneEvent) => void;
  /** When aborted, the run finishes its step, saves a checkpoint and returns. */
  signal?: AbortSignal;
  /** How many seconds the steps may still take: the run, its schedule included, is shortened to what fits. */
  secondsLeft?: () => number;
}

/**
 * Fine-tunes a language model on ARC tasks, writing checkpoints, metrics.jsonl and TensorBoard logs to the
 * output folder.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function fineTune(options: FineTuneOptions & FineTuneHooks): Promise<RunResult> {
  const { onEvent = () => {}, signal, secondsLeft, ...rest } = options;
  const note = (text: string) => onEvent({ type: 'note', text });
  let config = fineTuneConfig(rest);
  const loaded = loadData(config);
  assertWritableFolder(config.outputDir, '--output_dir');
  removeLeftovers(config.outputDir);
  const previous = config.resumeFromCheckpoint ? findCheckpoint(config, note) : null;
  if (previous && previous.state.step >= config.maxSteps) {
    note(`${previous.path} has all ${config.maxSteps} steps already: nothing to do`);
    const { step, history } = previous.state;
    return { checkpoint: previous.path, steps: step, interrupted: false, history };
  }

  const backend = await initBackend(config.backend, config);
  const find = (path: string) => resolveModel(path, { onProgress: downloadNotes(note) });
  const adapterFolder = config.adapterPath === undefined ? undefined : await find(config.adapterPath);
  const modelFolder = await find(config.modelPath);
  const { tokenizer, modelConfig } = openTokenizer(modelFolder);
  if (config.maxSeqLen > modelConfig.maxPositionEmbeddings) {
    note(
      `--max_seq_len ${config.maxSeqLen}: the model was made for ${modelConfig.maxPositionEmbeddings} tokens`,
    );
  }
  const vocabulary = config.pruneVocab
    ? promptVocabulary(tokenizer, parseGridEncoder(config.gridEncoder))
    : undefined;
  if (vocabulary) note(`vocabulary: ${vocabulary.length} of ${modelConfig.vocabSize} tokens`);
  const validation = openValidation(config, tokenizer, loaded, note);
  const stream = openStream(config, modelFolder, tokenizer, loaded, previous?.state.rng.streamIndex ?? 0);
  try {
    await stream.check();
    const decoder = await openDecoder(config, modelFolder, adapterFolder, vocabulary);
    decoder.gradientCheckpointing = config.gradientCheckpointing;
    if (!config.resumeFromCheckpoint) config = startOver(config, note);
    const run = new Run(config, decoder, stream, validation, onEvent, new Pace(config.maxSteps, secondsLeft));
    try {
      if (previous) run.restore(previous.path, previous.state);
      if (config.verbose) note(`backend ${backend}, ${validation.length} validation samples`);
      return await run.train(signal);
    } finally {
      run.dispose();
      decoder.dispose();
    }
  } finally {
    await stream.close();
  }
}

/** Loads all data sets and checks kinds, encoder, loss weights and solutions. */
function loadData(config: FineTuneConfig): LoadedDatasets {
  parseGridEncoder(config.gridEncoder);
  checkLossWeights(config.lossWeights, config.trainDatasets);
  return loadPairs([...config.trainDatasets, ...config.valDataset]);
}

/** A checkpoint to continue. */
interface Previous {
  readonly path: string;
  readonly state: TrainerState;
}

/** The newest checkpoint of the output folder. @throws {CheckpointError} when it is of another run */
function findCheckpoint(config: FineTuneConfig, note: (text: string) => void): Previous | null {
  const newest = listCheckpoints(config.outputDir).at(-1);
  if (!newest) return null;
  const { state, config: before } = readCheckpoint(newest.path);
  const differences = configDifferences(before, JSON.parse(JSON.stringify(config)));
  if (differences.length > 0) {
    throw new CheckpointError(
      `${newest.path}: cannot continue it with other options: ${differences.join('; ')}. Give the same ` +
        'options, another --output_dir, or --no-resume_from_checkpoint to start over',
    );
  }
  note(`continuing ${newest.path} at step ${state.step}`);
  if (before.maxSteps !== config.maxSteps) {
    note(
      `--max_steps was ${before.maxSteps} and is ${config.maxSteps}: the learning rate follows the new length`,
    );
  }
  return { path: newest.path, state };
}

/** Moves an earlier run out of the way; an adapter that was part of it is named by its new place. */
function startOver(config: FineTuneConfig, note: (text: string) => void): FineTuneConfig {
  const { outputDir, adapterPath } = config;
  const aside = setAsideEarlierRun(outputDir);
  if (!aside) return config;
  note(`moved the earlier run of ${outputDir} to ${aside}`);
  if (adapterPath === undefined || existsSync(adapterPath)) return config;
  const moved = join(aside, relative(outputDir, adapterPath));
  return existsSync(moved) ? { ...config, adapterPath: moved } : config;
}

/** The fixed validation samples. @throws {NothingFitsError} when there is a data set but no sample fits */
function openValidation(
  config: FineTuneConfig,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
  note: (text: string) => void,
): readonly TrainingSample[] {
  const pairs = buildPairs(config.valDataset, { ...config, lossWeights: {} }, tokenizer, loaded);
  const { samples, tooLong } = validationSet(pairs, {
    seed: config.seed,
    maxSeqLen: config.maxSeqLen,
    removeTrainSamples: config.removeTrainSamplesToFitMaxSeqLen,
    maxSamples: config.maxValSamples,
  });
  if (pairs.length > 0 && samples.length === 0) {
    throw new NothingFitsError(
      `--val_dataset: none of its ${tooLong} samples fits into --max_seq_len ${config.maxSeqLen}`,
    );
  }
  if (tooLong > 0) {
    note(
      `validation: ${tooLong} of ${tooLong + samples.length} samples exceed --max_seq_len ${config.maxSeqLen}`,
    );
  }
  return samples;
}

/** The stream of training samples, from worker threads when the build has their bundle. */
function openStream(
  config: FineTuneConfig,
  tokenizerFolder: string,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
  start: number,
): SampleStream {
  const spec: TrainingDataSpec = {
    pairs: config.trainDatasets,
    lossWeights: config.lossWeights,
    gridEncoder: config.gridEncoder,
    tokenizerFolder,
    seed: config.seed,
    maxSeqLen: config.maxSeqLen,
    removeTrainSamples: config.removeTrainSamplesToFitMaxSeqLen,
    augmentation: {
      swapTrainAndTest: config.swapTrainAndTest,
      geometric: config.geometricAugmentation,
      colors: config.colorAugmentation,
      trainOrder: config.orderAugmentation,
      taskProbability: config.taskAugmentation,
      taskWeights: config.taskAugmentationWeights,
    },
  };
  const file = buildFile('sample-worker.cjs');
  const threaded = config.workers > 0 && existsSync(file);
  return new SampleStream({
    ...(threaded
      ? { worker: { file, data: spec, count: config.workers } }
      : { source: openSampleSource(spec, tokenizer, loaded) }),
    start,
    ahead: 2 * config.batchSize,
    maxSeqLen: config.maxSeqLen,
    removeTrainSamples: config.removeTrainSamplesToFitMaxSeqLen,
  });
}

/** The model with a fresh adapter, the given one, or all of its weights to train. */
async function openDecoder(
  config: FineTuneConfig,
  folder: string,
  adapterPath: string | undefined,
  vocabulary: Int32Array | undefined,
): Promise<Decoder> {
  const fresh = config.useLora && adapterPath === undefined;
  return loadDecoder(folder, {
    ...(config.torchDtype ? { floatType: config.torchDtype } : {}),
    trainable: config.useLora ? 'adapter' : 'all',
    ...(vocabulary ? { vocabulary } : {}),
    ...(adapterPath === undefined ? {} : { adapterPath }),
    ...(fresh
      ? {
          lora: {
            rank: config.loraR,
            alpha: config.loraAlpha,
            dropout: config.loraDropout,
            targetModules: [...config.loraTargetModules],
            useRslora: config.useRslora,
            useDora: config.useDora,
            init: config.loraWeightInitialization,
          },
        }
      : {}),
    rng: Rng.of(config.seed, 'lora'),
  });
}
