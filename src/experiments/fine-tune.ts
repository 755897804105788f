/**
 * Fine-tuning, top to bottom: check everything that can be known without the model, open the sample stream,
 * load the model, continue or start, then steps, validation and checkpoints until the end.
 */
import { existsSync } from 'node:fs';
import { assertWritableFolder, buildFile } from '../common/files.js';
import { Rng } from '../common/rng.js';
import { type Decoder, loadDecoder, resolveModel } from '../models/index.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { type ChatTokenizer, loadTokenizer } from '../prompts/tokenizer.js';
import { initBackend } from '../tensors/backend.js';
import {
  listCheckpoints,
  readCheckpoint,
  removeLeftovers,
  setAsideEarlierRun,
  type TrainerState,
} from '../training/checkpoints.js';
import { CheckpointError, NothingFitsError, TrainingOptionsError } from '../training/errors.js';
import type { FineTuneEvent } from '../training/events.js';
import {
  configDifferences,
  type FineTuneConfig,
  type FineTuneOptions,
  fineTuneConfig,
} from '../training/options.js';
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

export type { FineTuneEvent } from '../training/events.js';
export type { FineTuneOptions } from '../training/options.js';
export type { RunResult as FineTuneResult } from '../training/run.js';

/** How a program follows a run and stops it. */
export interface FineTuneHooks {
  onEvent?: (event: FineTuneEvent) => void;
  /** When aborted, the run finishes its step, saves a checkpoint and returns. */
  signal?: AbortSignal;
}

/**
 * Fine-tunes a language model on ARC tasks, writing checkpoints, metrics.jsonl and TensorBoard logs to the
 * output folder.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function fineTune(options: FineTuneOptions & FineTuneHooks): Promise<RunResult> {
  const { onEvent = () => {}, signal, ...rest } = options;
  const note = (text: string) => onEvent({ type: 'note', text });
  const config = fineTuneConfig(rest);
  const { outputDir } = config;
  const loaded = loadData(config);
  assertWritableFolder(outputDir, '--output_dir');
  const previous = config.resumeFromCheckpoint ? findCheckpoint(config, note) : null;
  if (previous && previous.state.step >= config.maxSteps) {
    note(`${previous.path} has all ${config.maxSteps} steps already: nothing to do`);
    const { step, history } = previous.state;
    return { checkpoint: previous.path, steps: step, interrupted: false, history };
  }

  const modelFolder = await resolveModel(config.modelPath);
  const tokenizer = loadTokenizer(modelFolder);
  const validation = openValidation(config, tokenizer, loaded, note);
  const stream = openStream(config, modelFolder, tokenizer, loaded, previous?.state.rng.streamIndex ?? 0);
  try {
    await stream.check();
    const backend = await initBackend(config.backend);
    const decoder = await openDecoder(config, modelFolder, tokenizer);
    const run = new Run(config, decoder, stream, validation, onEvent);
    try {
      if (previous) run.restore(previous.path, previous.state);
      else if (!config.resumeFromCheckpoint) {
        const aside = setAsideEarlierRun(outputDir);
        if (aside) note(`moved the earlier run of ${outputDir} to ${aside}`);
      }
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
  removeLeftovers(config.outputDir);
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
  tokenizer: ChatTokenizer,
): Promise<Decoder> {
  const fresh = config.useLora && config.adapterPath === undefined;
  const decoder = await loadDecoder(folder, {
    trainable: config.useLora ? 'adapter' : 'all',
    ...(config.adapterPath === undefined ? {} : { adapterPath: config.adapterPath }),
    ...(fresh
      ? {
          lora: {
            rank: config.loraR,
            alpha: config.loraAlpha,
            dropout: config.loraDropout,
            useRslora: config.useRslora,
            useDora: config.useDora,
            init: config.loraWeightInitialization,
          },
        }
      : {}),
    rng: Rng.of(config.seed, 'lora'),
  });
  if (tokenizer.vocabSize <= decoder.config.vocabSize) return decoder;
  decoder.dispose();
  throw new TrainingOptionsError(
    `${folder}: its tokenizer knows ${tokenizer.vocabSize} tokens, its model ${decoder.config.vocabSize}`,
  );
}
