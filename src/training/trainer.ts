import { setImmediate as turn } from 'node:timers/promises';
import { Rng } from '../common/rng.js';
import * as tf from '../tensors/tf.js';
import { DivergedError } from './errors.js';
import { microBatchGradients, type TrainableDecoder } from './loss.js';
import { AdamW, globalNorm } from './optimizer.js';
import { type LossOn, labelCount, planMicroBatches } from './packing.js';
import type { TrainingSample } from './sample-source.js';
import { LossTally } from './tally.js';

export interface TrainerOptions {
  readonly seed: number;
  /** The learning rate of each step, counted from 0. */
  readonly schedule: (step: number) => number;
  /** Samples per optimizer step. */
  readonly batchSize: number;
  /** Tokens per forward and backward pass. */
  readonly maxTokensPerBatch: number;
  /** Gradients with a larger global norm are scaled down to it; 0 = off. */
  readonly maxGradNorm: number;
  readonly weightDecay: number;
  readonly lossOn: LossOn;
}

/** What one optimizer step did. */
export interface StepReport {
  /** Counted from 1. */
  readonly step: number;
  /** The weighted loss per label of the global batch. */
  readonly loss: number;
  /** Unweighted loss sums and label counts per prompt kind and data set. */
  readonly tally: LossTally;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradNorm: number;
  /** False when the gradient was not finite: the step changed nothing. */
  readonly updated: boolean;
  readonly microBatches: number;
  readonly tokens: number;
  readonly labels: number;
  readonly seconds: number;
}

/** Where samples come from. */
export interface Samples {
  next(): Promise<TrainingSample>;
}

/** A run is given up after this many steps in a row with an infinite or undefined gradient. */
const MAX_BAD_STEPS = 5;

/** Takes optimizer steps: global batch → micro-batches → summed gradient → clip → AdamW. */
export class Trainer {
  readonly optimizer: AdamW;
  /** Steps taken, and how many of the last had a gradient that was not finite. */
  state = { step: 0, badSteps: 0 };

  constructor(
    readonly decoder: TrainableDecoder,
    readonly samples: Samples,
    readonly options: TrainerOptions,
  ) {
    this.optimizer = new AdamW(decoder.trainableVariables(), options);
  }

  /** One step over the next `batchSize` samples. @throws {DivergedError} after several non-finite gradients. */
  async step(): Promise<StepReport> {
    const { options } = this;
    const start = performance.now();
    const step = this.state.step + 1;
    const batch: TrainingSample[] = [];
    while (batch.length < options.batchSize) batch.push(await this.samples.next());

    const divisor = batch.reduce((sum, sample) => sum + labelCount(sample, options.lossOn), 0);
    const microBatches = planMicroBatches(batch, options.maxTokensPerBatch);
    const tally = new LossTally();
    let gradients: tf.NamedTensorMap = {};
    for (const [i, samples] of microBatches.entries()) {
      const rng = Rng.of(options.seed, 'dropout', step, i);
      const result = microBatchGradients(this.decoder, samples, { divisor, lossOn: options.lossOn, rng });
      gradients = accumulate(gradients, result.gradients);
      tally.add(samples, (await result.logProbs.data()) as Float32Array, options.lossOn);
      result.logProbs.dispose();
      await turn(); // lets signals and sample workers get a word in
    }

    const norm = globalNorm(Object.values(gradients));
    const gradNorm = (await norm.data())[0]!;
    norm.dispose();
    const updated = Number.isFinite(gradNorm);
    const learningRate = options.schedule(step - 1);
    if (updated) {
      gradients = clip(gradients, gradNorm, options.maxGradNorm);
      this.optimizer.update(gradients, step, learningRate);
    }
    tf.dispose(gradients);
    this.state = { step, badSteps: updated ? 0 : this.state.badSteps + 1 };
    if (this.state.badSteps >= MAX_BAD_STEPS) {
      throw new DivergedError(
        `step ${step}: the gradient has not been finite for ${MAX_BAD_STEPS} steps. ` +
          `Lower --learning_rate (${learningRate.toPrecision(3)} now) or continue from an earlier checkpoint`,
      );
    }
    return {
      step,
      loss: tally.weightedLoss,
      tally,
      learningRate,
      gradNorm,
      updated,
      microBatches: microBatches.length,
      tokens: batch.reduce((sum, { tokens }) => sum + tokens.length, 0),
      labels: divisor,
      seconds: (performance.now() - start) / 1000,
    };
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}

/** Adds gradients by name; takes over both. */
function accumulate(sum: tf.NamedTensorMap, more: tf.NamedTensorMap): tf.NamedTensorMap {
  const result = { ...sum };
  for (const [name, gradient] of Object.entries(more)) {
    const before = result[name];
    if (!before) {
      result[name] = gradient;
      continue;
    }
    result[name] = tf.add(before, gradient);
    before.dispose();
    gradient.dispose();
  }
  return result;
}

/** Scales gradients down to a global norm, as torch's `clip_grad_norm_` does; takes them over. */
function clip(gradients: tf.NamedTensorMap, norm: number, maxNorm: number): tf.NamedTensorMap {
  const scale = maxNorm / (norm + 1e-6);
  if (maxNorm <= 0 || scale >= 1) return gradients;
  return Object.fromEntries(
    Object.entries(gradients).map(([name, gradient]) => {
      const scaled = tf.mul(gradient, scale);
      gradient.dispose();
      return [name, scaled];
    }),
  );
}
