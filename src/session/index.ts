/**
 * A model that is kept in memory: loaded once, used many times, with adapters that are attached and detached in memory.
 *
 * @example
 * using model = await openModel({ modelPath: 'models/base', adapterPath: 'models/01/checkpoint-1000' });
 * const { predictions } = await model.infer(tasks, { predictionsPerTask: 8 });
 * await model.useAdapter(null);
 */
import { type TaskData, tasksOf } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { type Hooks, notesTo } from '../common/events.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { withFiles } from '../common/lock.js';
import { writableFiles } from '../common/output-files.js';
import { Rng } from '../common/rng.js';
import type { Prediction } from '../evaluation/types.js';
import {
  type AdapterState,
  adapterState,
  addAdapter,
  attachAdapter,
  type Decoder,
  resolveModel,
  writeAdapter,
} from '../models/index.js';
import { readAdapter } from '../models/load.js';
import {
  openModelOptions,
  sessionGenerateInputsOptions,
  sessionInferOptions,
  sessionScoreOptions,
} from '../options/inference.js';
import { sessionSearchOptions } from '../options/search.js';
import type { ConfigOf, OptionsOf } from '../options/table.js';
import { sessionFineTuneOnTaskOptions, sessionFineTuneOptions } from '../options/training.js';
import { noteStream } from '../training/audit-run.js';
import type { FineTuneHooks } from '../training/events.js';
import { loadData, loraOptions, noteOverlap, openStream, openValidation } from '../training/open-run.js';
import { fineTuneConfig } from '../training/options.js';
import { Pace } from '../training/pace.js';
import { Run, type RunOutcome } from '../training/run.js';
import { nameDatasets, type WithDatasets } from '../training/training-data.js';
import type { GenerationEvent, GenerationHooks } from './ask.js';
import { attach } from './attach.js';
import { drawGrids, type GenerateInputsResult } from './draw.js';
import { type InferResult, predict } from './predict.js';
import { openPrompts, type PromptSession, promptKindFor } from './prompts.js';
import { type ScoreEvent, type ScoreHooks, type ScoreResult, scoreCandidates } from './score.js';
import {
  type SearchEvent,
  type SearchHooks,
  type SearchResult,
  type SearchState,
  searchCandidates,
} from './search.js';
import { freshAdapter, TaskTuner, type TaskTuning, type TaskTuningHooks } from './task-tuning.js';

/** Options of {@link openModel}. */
export type OpenModelOptions = OptionsOf<typeof openModelOptions.table>;
/** Options of {@link ModelSession.infer}. */
export type SessionInferOptions = OptionsOf<typeof sessionInferOptions.table>;
/** Options of {@link ModelSession.search}, and the search that it goes on from at a lower threshold. */
export type SessionSearchOptions = OptionsOf<typeof sessionSearchOptions.table> & { before?: SearchState };
/** Options of {@link ModelSession.score}, and the predictions to score instead of the solutions. */
export type SessionScoreOptions = OptionsOf<typeof sessionScoreOptions.table> & {
  predictions?: readonly Prediction[];
};
/** Options of {@link ModelSession.generateInputs}. */
export type SessionGenerateInputsOptions = OptionsOf<typeof sessionGenerateInputsOptions.table>;
/** Options of {@link ModelSession.fineTune}. */
export type SessionFineTuneOptions = WithDatasets<OptionsOf<typeof sessionFineTuneOptions.table>>;

/** Options of {@link ModelSession.fineTuneOnTask}, and the adapter to begin with instead of the one that is used. */
export type SessionFineTuneOnTaskOptions = OptionsOf<typeof sessionFineTuneOnTaskOptions.table> & {
  start?: AdapterState | null;
};

/** Events of a session: those of its flows, where they are not given a listener of their own. */
export type SessionEvent = GenerationEvent | ScoreEvent | SearchEvent;

/** How a program follows a session. */
export type SessionHooks = Pick<Hooks<SessionEvent>, 'onEvent'>;

/**
 * Opens a model.
 * @throws {UserError} when files are missing, or do not fit each other
 */
export async function openModel(options: OpenModelOptions & SessionHooks): Promise<ModelSession> {
  const { onEvent, ...given } = options;
  const config = openModelOptions.check(given, notesTo(onEvent));
  const { adapterPath, ...base } = config;
  const prompts = await openPrompts(base);
  const session = new ModelSession(config, prompts, await prompts.loadDecoder(), onEvent);
  try {
    if (adapterPath !== undefined) await session.useAdapter(adapterPath);
  } catch (error) {
    session.dispose();
    throw error;
  }
  return session;
}

/** A model in memory. One call at a time: a call that comes while another runs is refused. */
export class ModelSession {
  readonly #config: ConfigOf<typeof openModelOptions.table>;
  readonly #prompts: PromptSession;
  readonly #onEvent: ((event: SessionEvent) => void) | undefined;
  #decoder: Decoder | undefined;
  #adapter: AdapterState | undefined;
  #isMerged = false;
  #running: string | undefined;

  /** Use {@link openModel}. */
  constructor(
    config: ConfigOf<typeof openModelOptions.table>,
    prompts: PromptSession,
    decoder: Decoder,
    onEvent: ((event: SessionEvent) => void) | undefined,
  ) {
    this.#config = config;
    this.#prompts = prompts;
    this.#decoder = decoder;
    this.#onEvent = onEvent;
  }

  /** The decoder, for model code by hand. @throws {UserError} when the session is closed */
  get decoder(): Decoder {
    if (this.#decoder === undefined)
      throw new UserError('the model was closed; open it again with openModel');
    return this.#decoder;
  }

  /** The adapter that is used, on the host; null without one. */
  get adapter(): AdapterState | null {
    return this.#adapter ?? null;
  }

  /**
   * Whether decoding with the adapter is as fast as without: merged weights then lie beside the base's. Where
   * memory does not suffice for that, the adapter is multiplied separately.
   */
  get isMerged(): boolean {
    return this.#isMerged;
  }

  /** Predicts the outputs of all test inputs, as `infer` does. */
  infer(tasks: TaskData, options: SessionInferOptions & GenerationHooks = {}): Promise<InferResult> {
    return this.#alone('infer', async () => {
      const { onEvent = this.#onEvent, signal, ...given } = options;
      const config = { ...this.#config, ...sessionInferOptions.check(given, notesTo(onEvent)) };
      const files = writableFiles({ outputPath: config.outputPath });
      const run = (stopping: AbortSignal) =>
        predict(this.#held(), tasksOf(tasks), config, { onEvent, signal: stopping });
      return withFiles(files, run, signal);
    });
  }

  /**
   * Finds all grids above a threshold, as `search` does. With `before`, the `state` of an earlier result of the same
   * model, it goes on from there at a lower threshold.
   */
  search(tasks: TaskData, options: SessionSearchOptions & SearchHooks = {}): Promise<SearchResult> {
    return this.#alone('search', async () => {
      const { onEvent = this.#onEvent, signal, before, ...given } = options;
      const config = { ...this.#config, ...sessionSearchOptions.check(given, notesTo(onEvent)) };
      const files = writableFiles({ outputPath: config.outputPath });
      const run = (stopping: AbortSignal) =>
        searchCandidates(this.#held(), { tasks: tasksOf(tasks), before }, config, {
          onEvent,
          signal: stopping,
        });
      return withFiles(files, run, signal);
    });
  }

  /** Scores solutions or predictions, as `score` does. */
  score(tasks: TaskData, options: SessionScoreOptions & ScoreHooks = {}): Promise<ScoreResult> {
    return this.#alone('score', async () => {
      const { onEvent = this.#onEvent, signal, predictions, ...given } = options;
      const config = { ...this.#config, ...sessionScoreOptions.check(given, notesTo(onEvent)) };
      const files = writableFiles({ outputPath: config.outputPath });
      const run = (stopping: AbortSignal) =>
        scoreCandidates(this.#held(), { tasks: tasksOf(tasks), predictions }, config, {
          onEvent,
          signal: stopping,
        });
      return withFiles(files, run, signal);
    });
  }

  /** Draws new grids for each task, as `generateInputs` does. */
  generateInputs(
    tasks: TaskData,
    options: SessionGenerateInputsOptions & GenerationHooks = {},
  ): Promise<GenerateInputsResult> {
    return this.#alone('generateInputs', async () => {
      const { onEvent = this.#onEvent, signal, ...given } = options;
      const config = { ...this.#config, ...sessionGenerateInputsOptions.check(given, notesTo(onEvent)) };
      const { outputPath, htmlPath } = config;
      const files = writableFiles({ outputPath, htmlPath });
      const run = (stopping: AbortSignal) =>
        drawGrids(this.#held(), tasksOf(tasks), config, { onEvent, signal: stopping });
      return withFiles(files, run, signal);
    });
  }

  /**
   * Trains the adapter that is used, or a fresh one, and then uses the trained one. Nothing is written; `saveAdapter`
   * does.
   * @throws {UserError} as `fineTune`; the adapter is then the one from before
   */
  fineTune(options: SessionFineTuneOptions & FineTuneHooks): Promise<RunOutcome> {
    return this.#alone('fineTune', async () => {
      const { onEvent, signal, secondsLeft, ...rest } = options;
      const note = notesTo(onEvent);
      const { given, values: loaded } = nameDatasets(rest);
      const config = fineTuneConfig({
        ...this.#trainingConfig(),
        ...sessionFineTuneOptions.check(given, note),
      });
      loadData(config, loaded);
      noteOverlap(config, loaded, note);
      const { tokenizer, folder } = this.#prompts;
      const validation = openValidation(config, tokenizer, loaded, note);
      const stream = openStream(config, folder, tokenizer, loaded, 0);
      try {
        await stream.check();
        const { vocabSize } = this.decoder.config;
        await noteStream(config, { tokenizer, folder, vocabSize }, loaded, note);
        return await this.#train(async (decoder) => {
          if (this.#adapter) await attachAdapter(decoder, this.#adapter, { merge: 'never', trainable: true });
          else await addAdapter(decoder, loraOptions(config.lora), Rng.of(config.seed, 'lora'));
          const { outputDir: _, ...inMemory } = config;
          const pace = new Pace(config.maxSteps, secondsLeft);
          decoder.gradientCheckpointing = config.gradientCheckpointing;
          const run = new Run(inMemory, decoder, stream, validation, (event) => onEvent?.(event), pace);
          try {
            return await run.train(signal);
          } finally {
            run.dispose();
            decoder.gradientCheckpointing = false;
          }
        });
      } finally {
        await stream.close();
      }
    });
  }

  /**
   * Fine-tunes on one task's train samples, each in turn as the target, and uses what the adapter became. It begins
   * with `start`, with the adapter that is used where none is given, or with a fresh one (null): tasks can follow one
   * another from the same start, and none depends on those before.
   * @throws {UserError} as `fineTune`; the adapter is then the one from before
   */
  fineTuneOnTask(
    task: readonly [taskId: string, Task],
    options: SessionFineTuneOnTaskOptions & TaskTuningHooks,
  ): Promise<TaskTuning> {
    return this.#alone('fineTuneOnTask', async () => {
      const { onStep, secondsLeft, signal, start = this.#adapter ?? null, ...given } = options;
      const config = sessionFineTuneOnTaskOptions.check(given, notesTo(this.#onEvent));
      const kind = promptKindFor(config.promptVersion, ['output-from-examples'], 'fine-tuning on a task');
      const prompts = this.#prompts.builder(kind);
      return this.#train(async (decoder) => {
        const begin = start ?? (await freshAdapter(decoder, config));
        return new TaskTuner(decoder, prompts, config).tune(begin, task, { onStep, secondsLeft, signal });
      });
    });
  }

  /**
   * Uses another adapter, or none: the weights are then those of a fresh load, bit for bit.
   * @param adapter a PEFT folder or hub id, or what `adapter` gave
   * @throws {UserError} when it does not fit the model; the adapter is then the one from before
   */
  useAdapter(adapter: string | AdapterState | null): Promise<void> {
    return this.#alone('useAdapter', async () => {
      const state = typeof adapter === 'string' ? await this.#read(adapter) : adapter;
      await this.#use(state ?? undefined);
    });
  }

  /** Writes the adapter that is used in PEFT's format. @throws {UserError} when there is none */
  saveAdapter(folder: string): Promise<void> {
    return this.#alone('saveAdapter', async () => {
      if (this.#adapter === undefined) throw new UserError(`${folder}: the model has no adapter to save`);
      writeAdapter(folder, this.#adapter, this.decoder.adapterBase());
    });
  }

  /** Frees the memory. */
  dispose(): void {
    this.#decoder?.dispose();
    this.#decoder = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #read(path: string): Promise<AdapterState> {
    return readAdapter(await resolveModel(path), this.decoder.adapterBase());
  }

  /** Attaches an adapter, merged where the memory suffices for it, and keeps the former one when that fails. */
  async #use(adapter: AdapterState | undefined): Promise<void> {
    const attachTo = (state: AdapterState | undefined) => attach(this.decoder, state, notesTo(this.#onEvent));
    const former = this.#adapter;
    try {
      this.#isMerged = await attachTo(adapter);
    } catch (error) {
      if (former !== adapter) this.#isMerged = await attachTo(former);
      throw error;
    }
    this.#adapter = adapter;
  }

  /** Runs a training; what was trained, or else the former adapter, is used afterwards. */
  async #train<T>(train: (decoder: Decoder) => Promise<T>): Promise<T> {
    const { decoder } = this;
    let trained = this.#adapter;
    try {
      const result = await train(decoder);
      trained = await adapterState(decoder);
      return result;
    } finally {
      await this.#use(trained);
    }
  }

  /** The options of a training that are those of the session. */
  #trainingConfig() {
    const { modelPath, gridEncoder, pruneVocab } = this.#config;
    return { modelPath, gridEncoder, pruneVocab, outputDir: '.', workers: 0, resumeFromCheckpoint: false };
  }

  /** The model as flows take it, which they give back and do not dispose of. */
  #held(): PromptSession {
    const { decoder } = this;
    const adapter = this.#adapter;
    return {
      ...this.#prompts,
      notes: [],
      loadDecoder: async () => decoder,
      release() {},
      adapterIdentity: () => (adapter === undefined ? 'none' : fingerprintOf(describe(adapter))),
    };
  }

  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#running !== undefined) {
      throw new UserError(`${name}: the model is busy with ${this.#running}; await that first`);
    }
    void this.decoder;
    this.#running = name;
    try {
      return await work();
    } finally {
      this.#running = undefined;
    }
  }
}

/** What tells one adapter from another. */
function* describe({ options, modules, saved }: AdapterState): Iterable<unknown> {
  yield options;
  for (const [name, { a, b, magnitude, scaling }] of modules) {
    yield [
      name,
      scaling,
      Array.from(a.values),
      Array.from(b.values),
      magnitude && Array.from(magnitude.values),
    ];
  }
  for (const [name, { values }] of saved) yield [name, Array.from(values)];
}
