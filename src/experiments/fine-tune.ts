/**
 * Fine-tuning, top to bottom: check everything that can be known without the model, open the sample stream,
 * load the model, continue or start, then steps, validation and checkpoints until the end.
 */

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { notesTo } from '../common/events.js';
import { assertWritableFolder, readText } from '../common/files.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { type Locking, outputFolder, withLock, withoutLock } from '../common/lock.js';
import { isFromBeforeRerun } from '../common/rerun.js';
import { Rng } from '../common/rng.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { type Decoder, downloadNotes, loadDecoder, resolveModel } from '../models/index.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { isTemplateFile } from '../prompts/prompt-kinds.js';
import { kindsOfCut, promptVocabulary } from '../prompts/prompt-vocabulary.js';
import { recordTraining } from '../records/flows.js';
import { openTokenizer, plainTemplateNote } from '../session/prompts.js';
import { initBackend } from '../tensors/backend.js';
import { alone } from '../tensors/collective/alone.js';
import { noteStream } from '../training/audit-run.js';
import {
  listCheckpoints,
  readCheckpoint,
  removeLeftovers,
  setAsideEarlierRun,
  type TrainerState,
} from '../training/checkpoints.js';
import { CheckpointError } from '../training/errors.js';
import type { FineTuneHooks } from '../training/events.js';
import { loadData, loraOptions, noteOverlap, openStream, openValidation } from '../training/open-run.js';
import {
  configDifferences,
  type FineTuneConfig,
  type FineTuneFileOptions,
  fineTuneConfig,
} from '../training/options.js';
import { Pace } from '../training/pace.js';
import { roomNotes } from '../training/room.js';
import { type FineTuneResult, Run } from '../training/run.js';
import type { TrainingRanks } from '../training/team.js';
import { type LoadedDatasets, nameDatasets, type WithDatasets } from '../training/training-data.js';

export type { FineTuneEvent, FineTuneHooks } from '../training/events.js';
export type { FineTuneResult } from '../training/run.js';

/** Options of {@link fineTune}: data sets are files, or values. */
export type FineTuneOptions = WithDatasets<FineTuneFileOptions>;

/** How a program follows a run, stops it, and shares it with other processes. */
export interface SharedFineTuneHooks extends FineTuneHooks {
  /** The processes that share the run, each of which makes this call. The first one writes files and tells events. */
  ranks?: TrainingRanks | undefined;
}

/**
 * Fine-tunes a language model on ARC tasks, writing checkpoints, metrics.jsonl and TensorBoard logs to the
 * output folder.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function fineTune(
  options: FineTuneOptions & SharedFineTuneHooks,
  /** Of a flow that has locked the folder for itself: `withoutLock`. */
  locking: Locking = withLock,
): Promise<FineTuneResult> {
  const { onEvent: tell = () => {}, signal, secondsLeft, ranks, ...rest } = options;
  const isFirst = ranks?.isFirst ?? true;
  const onEvent = isFirst ? tell : () => {};
  const { given, values } = nameDatasets(rest);
  const config = fineTuneConfig(given, notesTo(onEvent));
  const loaded = loadData(config, new Map(values));
  await ranks?.agreeOnRun(config, loaded);
  if (isFirst) assertWritableFolder(config.outputDir, '`outputDir`');
  return (isFirst ? locking : withoutLock)(
    outputFolder(config.outputDir),
    (stopping) =>
      train({ given, config }, { loaded, values }, { onEvent, signal: stopping, secondsLeft, ranks }),
    signal,
  );
}

/** Continues or starts a run in a folder that is its own. */
async function train(
  { given, config: checked }: { given: object; config: FineTuneConfig },
  { loaded, values }: Record<'loaded' | 'values', LoadedDatasets>,
  { onEvent, signal, secondsLeft, ranks }: SharedFineTuneHooks & Required<Pick<FineTuneHooks, 'onEvent'>>,
): Promise<FineTuneResult> {
  const note = notesTo(onEvent);
  const sharers = ranks ?? alone;
  const { isFirst } = sharers;
  const { previous, resumes } = await sharers.first(() => beginRun(checked, note));
  let config = { ...checked, resumeFromCheckpoint: resumes };
  if (previous && previous.state.step >= config.maxSteps) {
    note(`${previous.path} has all ${config.maxSteps} steps already: nothing to do`);
    const { step, history } = previous.state;
    return { checkpoint: previous.path, steps: step, interrupted: false, history };
  }

  const backend = await initBackend(config.backend, sharers.deviceOf(config));
  const find = (path: string) =>
    sharers.oneByMachine(() => resolveModel(path, { onProgress: downloadNotes(note) }));
  const adapterFolder = config.adapterPath === undefined ? undefined : await find(config.adapterPath);
  const modelFolder = await find(config.modelPath);
  const { tokenizer, modelConfig } = openTokenizer(modelFolder);
  if (config.maxSeqLen > modelConfig.maxPositionEmbeddings) {
    note(
      `\`maxSeqLen: ${config.maxSeqLen}\`: the model was made for ${modelConfig.maxPositionEmbeddings} tokens`,
    );
  }
  const kinds = [...config.trainDatasets, ...config.valDataset].map(([, kind]) => kind);
  const inputs = inputsOf(loaded, kinds, modelFolder, adapterFolder);
  await sharers.agree({ ...inputs, 'the backend': backend });
  if (previous) assertSameInputs(previous, inputs);
  noteOverlap(config, loaded, note);
  for (const text of plainTemplateNote(modelFolder, tokenizer)) note(text);
  const vocabulary = config.pruneVocab
    ? promptVocabulary(tokenizer, parseGridEncoder(config.gridEncoder), kindsOfCut(kinds))
    : undefined;
  if (vocabulary) note(`vocabulary: ${vocabulary.length} of ${modelConfig.vocabSize} tokens`);
  const validation = openValidation(config, tokenizer, loaded, note);
  const stream = openStream(
    config,
    modelFolder,
    tokenizer,
    loaded,
    previous?.state.rng.streamIndex ?? 0,
    values,
  );
  try {
    await stream.check();
    const model = {
      config: { ...modelConfig, vocabSize: vocabulary?.length ?? modelConfig.vocabSize },
      floatType: config.dtype ?? 'float32',
      weights: config.weights,
      lora: config.useLora ? loraOptions(config.lora) : undefined,
      cut: undefined,
    } as const;
    const pass = { tokens: config.maxTokensPerBatch, checkpointing: config.gradientCheckpointing };
    for (const text of roomNotes(model, { ...pass, trainsAll: !config.useLora })) note(text);
    const decoder = await openDecoder(config, modelFolder, adapterFolder, vocabulary);
    decoder.gradientCheckpointing = config.gradientCheckpointing;
    const team = await ranks?.team(decoder, config, note);
    // when every rank has read what may be moved
    if (!config.resumeFromCheckpoint && isFirst) config = startOver(config, note);
    const pace = new Pace(config.maxSteps, secondsLeft);
    const run = new Run(config, decoder, stream, validation, onEvent, pace, inputs, team);
    try {
      sharers.start();
      if (previous) await run.restore(previous.path, previous.state);
      if (config.verbose) note(`backend ${backend}, ${validation.length} validation samples`);
      // when nothing can be refused any more
      const prompts = { tokenizer, folder: modelFolder, vocabSize: modelConfig.vocabSize };
      if (isFirst) await noteStream(config, prompts, loaded, note);
      const steps = async () => {
        const outcome = await run.train(signal);
        return { checkpoint: await sharers.first(() => run.checkpoint()), ...outcome };
      };
      const result = await (isFirst
        ? recordTraining({ given, config, data: inputs, ranks: sharers.size }, steps)
        : steps());
      sharers.end();
      return result;
    } finally {
      run.dispose();
      decoder.dispose();
    }
  } finally {
    await stream.close();
  }
}

/** A checkpoint to continue. */
interface Previous {
  readonly path: string;
  readonly state: TrainerState;
}

/** Looks at the output folder, and removes what a killed run left there. @throws {CheckpointError} as {@link findCheckpoint} */
function beginRun(
  config: FineTuneConfig,
  note: (text: string) => void,
): { previous: Previous | null; resumes: boolean } {
  const newest = listCheckpoints(config.outputDir).at(-1);
  // a rerun continues its own checkpoints only
  const resumes = config.resumeFromCheckpoint && !(newest && isFromBeforeRerun(newest.path));
  removeLeftovers(config.outputDir);
  return { previous: resumes ? findCheckpoint(config, note) : null, resumes };
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
        'options, another `outputDir`, or `resumeFromCheckpoint: false` to start over',
    );
  }
  note(`continuing ${newest.path} at step ${state.step}`);
  if (before.maxSteps !== config.maxSteps) {
    note(
      `\`maxSteps\` was ${before.maxSteps} and is ${config.maxSteps}: the learning rate follows the new length`,
    );
  }
  return { path: newest.path, state };
}

/** What the run is made from, by what a person calls it. */
function inputsOf(
  loaded: LoadedDatasets,
  kinds: readonly string[],
  modelFolder: string,
  adapterFolder: string | undefined,
): Record<string, string> {
  return {
    ...Object.fromEntries([...loaded].map(([path, dataset]) => [path, fingerprintOf(dataset)])),
    ...Object.fromEntries(
      kinds.filter(isTemplateFile).map((path) => [path, fingerprintOf(readText(path, 'a prompt template'))]),
    ),
    'the model of `modelPath`': fingerprintModel(modelFolder),
    ...(adapterFolder === undefined
      ? {}
      : { 'the adapter of `adapterPath`': fingerprintModel(adapterFolder) }),
  };
}

/** @throws {CheckpointError} when a file has changed since the checkpoint's run read it */
function assertSameInputs({ path, state }: Previous, inputs: Readonly<Record<string, string>>): void {
  // checkpoints of earlier versions do not say
  const changed = Object.keys(inputs).filter(
    (name) => (state.inputs?.[name] ?? inputs[name]) !== inputs[name],
  );
  if (changed.length === 0) return;
  throw new CheckpointError(
    `${path}: cannot continue it: ${changed.join(', ')} ${changed.length > 1 ? 'have' : 'has'} changed since it was written. Put back what it was, or ` +
      'give another `outputDir`, or `resumeFromCheckpoint: false` to start over',
  );
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

/** The model with a fresh adapter, the given one, or all of its weights to train. */
async function openDecoder(
  config: FineTuneConfig,
  folder: string,
  adapterPath: string | undefined,
  vocabulary: Int32Array | undefined,
): Promise<Decoder> {
  const { useLora, lora, dtype: floatType, weights, seed } = config;
  return loadDecoder(folder, {
    ...{ floatType, weights, vocabulary, adapterPath },
    trainable: useLora ? 'adapter' : 'all',
    lora: useLora && adapterPath === undefined ? loraOptions(lora) : undefined,
    rng: Rng.of(seed, 'lora'),
  });
}
