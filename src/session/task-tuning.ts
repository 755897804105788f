/**
 * @file Fine-tuning on one task in memory: the adapter goes back to where it starts, learns the task's train samples,
 * and is a value afterwards. What it becomes depends on the start, the task and the options only, not on tasks before.
 */
import type { Task } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import { mean } from '../evaluation/metrics.js';
import {
  type AdapterState,
  adapterState,
  addAdapter,
  attachAdapter,
  type Decoder,
  detachAdapter,
} from '../models/index.js';
import { packSequences } from '../models/packed-tokens.js';
import { freeMemory } from '../tensors/free-memory.js';
import { embedding } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { NothingFitsError } from '../training/errors.js';
import { trainingBytes } from '../training/memory.js';
import { loraOptions } from '../training/open-run.js';
import { filledSteps } from '../training/options.js';
import { Pace } from '../training/pace.js';
import { labelsOf } from '../training/packing.js';
import type { TrainingSample } from '../training/sample.js';
import type { TrainingPrompts } from '../training/sample-source.js';
import { SampleStream } from '../training/sample-stream.js';
import { type StepReport, Trainer } from '../training/trainer.js';
import { TaskSamples, type TaskTuningConfig } from './task-samples.js';

/** How a program follows the fine-tuning on one task and stops it. */
export interface TaskTuningHooks {
  onStep?: (report: StepReport) => void;
  /** How long it may still take, in seconds; its schedule is shortened to what fits. */
  secondsLeft?: (() => number) | undefined;
  signal?: AbortSignal | undefined;
}

/** What a fine-tuning on one task came to. */
export interface TaskTuning {
  /** The adapter afterwards; that of the start where no step was taken. */
  readonly adapter: AdapterState;
  /** Optimizer steps that were taken. */
  readonly steps: number;
  /** The mean loss of the last eight steps, in nats for each label; null without a step. */
  readonly loss: number | null;
  /** Why it ended before its last step. */
  readonly stopped?: 'loss' | 'solved' | 'time' | 'signal' | 'no samples';
  /** All of it, and the part that was spent on steps. */
  readonly seconds: number;
  readonly stepSeconds: number;
}

/** Steps whose mean loss is compared with `stopLoss`. */
const LOSS_WINDOW = 8;

/** Views of the train sample that is kept back which have to be solved: one for each symmetry. */
const SOLVED_VIEWS = 8;

/** Part of the free memory that a step may be predicted to take. */
const MEMORY_SHARE = 0.8;

/** An adapter that has learnt nothing, as a value: every task can begin with it. */
export async function freshAdapter(
  decoder: Decoder,
  { seed, lora }: Pick<TaskTuningConfig, 'seed' | 'lora'>,
): Promise<AdapterState> {
  detachAdapter(decoder);
  try {
    await addAdapter(decoder, loraOptions(lora), Rng.of(seed, 'lora'));
    return await adapterState(decoder);
  } finally {
    detachAdapter(decoder);
  }
}

/** Fine-tunes on tasks, one after the other, from the same start. */
export class TaskTuner {
  readonly #decoder: Decoder;
  readonly #prompts: TrainingPrompts;
  readonly #config: ReturnType<typeof filledSteps<TaskTuningConfig>>;
  /** Bytes for the activations of a step: what was free before the first. */
  readonly #memory: number;

  /** @throws {OptionError} when options contradict each other */
  constructor(decoder: Decoder, prompts: TrainingPrompts, config: TaskTuningConfig) {
    this.#decoder = decoder;
    this.#prompts = prompts;
    this.#config = filledSteps(config);
    this.#memory = MEMORY_SHARE * freeMemory();
  }

  /**
   * Fine-tunes a start on one task. The decoder has the trained adapter on it afterwards, not merged.
   * @throws {AdapterError} when the start does not fit the model
   * @throws {DivergedError} when the gradient is not finite several times in a row
   */
  async tune(
    start: AdapterState,
    [taskId, task]: readonly [string, Task],
    { onStep, secondsLeft, signal }: TaskTuningHooks = {},
  ): Promise<TaskTuning> {
    const began = performance.now();
    const config = this.#config;
    const decoder = this.#decoder;
    await attachAdapter(decoder, start, { merge: 'never', trainable: true });
    const samples = new TaskSamples(taskId, task, this.#prompts, {
      ...config,
      holdOut: config.stopWhenSolved > 0,
    });
    const stream = await openSamples(samples, config);
    const since = () => (performance.now() - began) / 1000;
    if (stream === undefined) {
      return {
        adapter: start,
        steps: 0,
        loss: null,
        stopped: 'no samples',
        seconds: since(),
        stepSeconds: 0,
      };
    }
    const pace = new Pace(config.maxSteps, secondsLeft);
    const trainer = new Trainer(decoder, stream, { ...config, schedule: pace.schedule(config) });
    decoder.gradientCheckpointing = this.#needsCheckpointing(samples);
    const losses: number[] = [];
    let stepSeconds = 0;
    let stopped: TaskTuning['stopped'];
    try {
      while (stopped === undefined && losses.length < pace.steps) {
        const report = await trainer.step();
        pace.after(report.step);
        losses.push(report.loss);
        stepSeconds += report.seconds;
        onStep?.(report);
        if (signal?.aborted) stopped = 'signal';
        else if (losses.length < pace.steps) stopped = await this.#reasonToStop(losses, samples);
        else if (losses.length < config.maxSteps) stopped = 'time';
      }
      return {
        adapter: await adapterState(decoder),
        steps: losses.length,
        loss: mean(losses.slice(-LOSS_WINDOW)),
        ...(stopped === undefined ? {} : { stopped }),
        seconds: since(),
        stepSeconds,
      };
    } finally {
      decoder.gradientCheckpointing = false;
      trainer.dispose();
      await stream.close();
    }
  }

  async #reasonToStop(
    losses: readonly number[],
    samples: TaskSamples,
  ): Promise<'loss' | 'solved' | undefined> {
    const { stopLoss, stopWhenSolved } = this.#config;
    const window = losses.slice(-LOSS_WINDOW);
    if (stopLoss > 0 && window.length === LOSS_WINDOW && mean(window) < stopLoss) return 'loss';
    if (stopWhenSolved <= 0 || losses.length % stopWhenSolved !== 0) return undefined;
    const views = samples.heldOut(SOLVED_VIEWS).filter(isSample);
    if (views.length === 0) return undefined;
    for (const view of views) if (!(await isSolved(this.#decoder, view))) return undefined;
    return 'solved';
  }

  /** Whether a step of this task is predicted to take more than the memory that was free. */
  #needsCheckpointing(samples: TaskSamples): boolean {
    const { batchSize, maxTokensPerBatch } = this.#config;
    const first = Array.from({ length: samples.targets }, (_, i) => samples.item(i)).filter(isSample);
    const longest = Math.max(...first.map(({ tokens }) => tokens.length));
    // micro-batches hold at most so many tokens, or one sample
    const tokens = Math.max(longest, Math.min(batchSize * longest, maxTokensPerBatch));
    const labels = Math.max(
      ...first.map(({ labelSpans }) => labelSpans.reduce((sum, [a, b]) => sum + b - a, 0)),
    );
    const shape = { tokens, labels: Math.ceil((labels * tokens) / longest) };
    return trainingBytes(this.#decoder, shape, { checkpointing: false }) > this.#memory;
  }
}

const isSample = (item: object): item is TrainingSample => 'tokens' in item;

/** The stream of a task's samples; undefined where it has none, or none that fits. */
async function openSamples(
  samples: TaskSamples,
  config: TaskTuningConfig,
): Promise<SampleStream | undefined> {
  if (samples.targets === 0) return undefined;
  const stream = new SampleStream({ ...config, source: samples, removeTrainSamplesToFitMaxSeqLen: true });
  try {
    await stream.check();
    return stream;
  } catch (error) {
    if (!(error instanceof NothingFitsError)) throw error;
    return undefined;
  }
}

/** Whether a model that takes the most likely token each time would write the answer of a sample. */
async function isSolved(decoder: Decoder, sample: TrainingSample): Promise<boolean> {
  const answer = { ...sample, labelSpans: sample.labelSpans.slice(-1) };
  const { rows, labels } = labelsOf([answer]);
  const likely = tf.tidy(() => {
    const hidden = decoder.forward(packSequences([Array.from(sample.tokens)]));
    return tf.argMax(decoder.logits(embedding(hidden, tf.tensor1d(rows, 'int32'))), 1);
  });
  const found = await likely.data();
  likely.dispose();
  const expected = decoder.cut?.rows(labels) ?? labels;
  return expected.every((token, i) => token === found[i]);
}
