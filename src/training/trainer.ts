import { nextTurn } from '../common/next-turn.js';
import { Rng } from '../common/rng.js';
import { notFiniteAdvice, notFiniteReason } from '../tensors/finite-advice.js';
import { advisingOnMemory } from '../tensors/memory-advice.js';
import { addEach, globalNorm, scaleEach } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { DivergedError } from './errors.js';
import { microBatchGradients, type TrainableDecoder } from './loss.js';
import { LossScale, type LossScaleState } from './loss-scale.js';
import { Muon } from './muon.js';
import { AdamW, type AdamWOptions, type Method, type Optimizer } from './optimizer.js';
import type { FineTuneConfig } from './options.js';
import { labelCount, planMicroBatches } from './packing.js';
import type { TrainingSample } from './sample.js';
import { LossTally } from './tally.js';

/** The processes that share each global batch, as a trainer sees them; see `Team`. */
export interface SharedBatch {
  /** An optimizer whose state is split over them; undefined where each has all of it. */
  optimizer(
    method: Method,
    variables: ReadonlyMap<string, tf.Variable>,
    options: AdamWOptions,
  ): Optimizer | undefined;
  /** This process's part of samples. */
  share<T extends { readonly tokens: ArrayLike<number> }>(samples: readonly T[]): T[];
  /** Sums gradients over all; takes them over. */
  sumGradients(gradients: tf.NamedTensorMap): Promise<tf.NamedTensorMap>;
  /** Adds up what all have counted. @param samples of the global batch */
  sumTally(tally: LossTally, samples: readonly TrainingSample[]): Promise<void>;
}

/** The options of a run that its steps depend on; AdamW with β₂ = 0.999 that is never given up where none is named. */
export interface TrainerOptions
  extends Pick<FineTuneConfig, 'seed' | 'batchSize' | 'maxTokensPerBatch' | 'maxGradNorm' | 'weightDecay'>,
    Partial<Pick<FineTuneConfig, 'optim' | 'adamBeta2' | 'maxBadSteps'>> {
  /** The learning rate of each step, counted from 0. */
  readonly schedule: (step: number) => number;
  /** The ranks that share each global batch; absent: this process alone. */
  readonly team?: SharedBatch | undefined;
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
  /** The factor on the loss that this step was taken with: 1 but for float16. */
  readonly lossScale: number;
  /** Of this process. */
  readonly microBatches: number;
  readonly tokens: number;
  readonly labels: number;
  readonly seconds: number;
}

/** Where samples come from. */
export interface Samples {
  next(): Promise<TrainingSample>;
}

/** Where a trainer is. */
export interface TrainerProgress {
  readonly step: number;
  readonly badSteps: number;
  readonly lossScale?: LossScaleState;
}

/** Takes optimizer steps: global batch → micro-batches → summed gradient → clip → optimizer. */
export class Trainer {
  readonly optimizer: Optimizer;
  readonly #lossScale: LossScale;
  #step = 0;
  #badSteps = 0;
  /** Whether any step changed the weights. */
  #updated = false;

  constructor(
    readonly decoder: TrainableDecoder,
    readonly samples: Samples,
    readonly options: TrainerOptions,
  ) {
    const Method = options.optim === 'muon' ? Muon : AdamW;
    const variables = decoder.trainableVariables();
    const settings = {
      weightDecay: options.weightDecay,
      ...(options.adamBeta2 === undefined ? {} : { beta2: options.adamBeta2 }),
      roundsMoments: options.optim === 'adamw_8bit',
    };
    this.optimizer = options.team?.optimizer(Method, variables, settings) ?? new Method(variables, settings);
    this.#lossScale = new LossScale(decoder.floatType === 'float16');
  }

  /** Steps taken, how many of the last had a gradient that was not finite, and in float16 the factor on the loss. */
  get state(): TrainerProgress {
    const lossScale = this.decoder.floatType === 'float16' ? { lossScale: this.#lossScale.state } : {};
    return { step: this.#step, badSteps: this.#badSteps, ...lossScale };
  }

  set state({ step, badSteps, lossScale }: TrainerProgress) {
    this.#step = step;
    this.#badSteps = badSteps;
    this.#updated = step > badSteps;
    if (lossScale) this.#lossScale.state = lossScale;
  }

  /** One step over the next `batchSize` samples. @throws {DivergedError} after several non-finite gradients. */
  async step(): Promise<StepReport> {
    const { options } = this;
    const { team } = options;
    const start = performance.now();
    const step = this.#step + 1;
    const batch: TrainingSample[] = [];
    while (batch.length < options.batchSize) batch.push(await this.samples.next());

    const divisor = batch.reduce((sum, sample) => sum + labelCount(sample), 0);
    const microBatches = planMicroBatches(team?.share(batch) ?? batch, options.maxTokensPerBatch);
    const tally = new LossTally();
    const passes: { samples: readonly TrainingSample[]; logProbs: tf.Tensor }[] = [];
    let gradients: tf.NamedTensorMap = {};
    const lossScale = this.#lossScale.value;
    const within = <T>(samples: readonly TrainingSample[], f: () => T): T =>
      advisingOnMemory(
        f,
        () => `step ${step}, ${describeMicroBatch(samples)}`,
        () => this.#memoryAdvice(),
      );
    for (const samples of microBatches) {
      // the same in every micro-batch: masks are named by sample and position, so the packing changes none
      const rng = Rng.of(options.seed, 'dropout', step);
      const result = within(samples, () =>
        microBatchGradients(this.decoder, samples, { divisor, rng, lossScale }),
      );
      gradients = accumulate(gradients, result.gradients);
      passes.push({ samples, logProbs: result.logProbs });
      await nextTurn(); // lets signals and messages of sample workers be handled
    }
    const gradNorm = await within(largestOf(microBatches) ?? batch, async () => {
      // read at the end, because reading waits for a device that is still at work
      for (const { samples, logProbs } of passes) {
        tally.add(samples, (await logProbs.data()) as Float32Array);
        logProbs.dispose();
      }
      if (team) {
        gradients = await team.sumGradients(gradients);
        await team.sumTally(tally, batch);
      }
      const norm = globalNorm(Object.values(gradients));
      const value = (await norm.data())[0]!;
      norm.dispose();
      return value / lossScale;
    });
    const updated = Number.isFinite(gradNorm);
    const learningRate = options.schedule(step - 1);
    if (updated) {
      gradients = rescale(gradients, clipFactor(gradNorm, options.maxGradNorm) / lossScale);
      await this.optimizer.update(gradients, step, learningRate);
      this.#updated = true;
    }
    tf.dispose(gradients);
    this.#step = step;
    // a smaller factor does not help a loss that is itself not finite
    const lost = this.#lossScale.update(updated) || !Number.isFinite(tally.weightedLoss);
    this.#badSteps = lost ? this.#badSteps + 1 : updated ? 0 : this.#badSteps;
    const { maxBadSteps = -1 } = options;
    if (maxBadSteps > 0 && this.#badSteps >= maxBadSteps) {
      throw new DivergedError(this.#divergence(step, learningRate));
    }
    return {
      step,
      loss: tally.weightedLoss,
      tally,
      learningRate,
      gradNorm,
      updated,
      lossScale,
      microBatches: microBatches.length,
      tokens: tokensOf(batch),
      labels: divisor,
      seconds: (performance.now() - start) / 1000,
    };
  }

  /** What went wrong in the last steps, and what helps. */
  #divergence(step: number, learningRate: number): string {
    const type = this.decoder.floatType ?? 'float32';
    const lost = `step ${step}: the gradient has not been finite for ${this.#badSteps} ${this.#badSteps === 1 ? 'step' : 'steps'}`;
    // a model that never took a step cannot have been spoiled by one
    if (!this.#updated)
      return `${lost}, from the beginning: ${notFiniteReason(type)}; ${notFiniteAdvice(type)}`;
    const types = type === 'float16' ? `${notFiniteAdvice(type)}, or lower` : 'lower';
    return (
      `${lost}, after it was before: ${types} \`learningRate\` (${learningRate.toPrecision(3)} now), or continue ` +
      'from an earlier checkpoint'
    );
  }

  /** Flags that make a step need less memory, those that are not in use yet. */
  #memoryAdvice(): string[] {
    const { decoder, options } = this;
    return [
      `a lower \`maxTokensPerBatch\` (${options.maxTokensPerBatch} now) or \`maxSeqLen\``,
      ...(decoder.gradientCheckpointing ? [] : ['`gradientCheckpointing`']),
      ...((decoder.keptType ?? 'float32') === 'float32' ? ['`dtype: bfloat16`'] : []),
    ];
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}

const tokensOf = (samples: readonly TrainingSample[]): number =>
  samples.reduce((sum, { tokens }) => sum + tokens.length, 0);

/** The micro-batch of the most tokens. */
function largestOf(
  microBatches: readonly (readonly TrainingSample[])[],
): readonly TrainingSample[] | undefined {
  return microBatches.reduce<readonly TrainingSample[] | undefined>(
    (largest, samples) => (largest && tokensOf(largest) >= tokensOf(samples) ? largest : samples),
    undefined,
  );
}

function describeMicroBatch(samples: readonly TrainingSample[]): string {
  const lengths = samples.map(({ tokens }) => tokens.length);
  return `a micro-batch of ${samples.length} samples with ${tokensOf(samples)} tokens, the longest of ${Math.max(...lengths)}`;
}

/** Adds gradients by name; takes over both. */
function accumulate(sum: tf.NamedTensorMap, more: tf.NamedTensorMap): tf.NamedTensorMap {
  const both = Object.keys(more).filter((name) => sum[name]);
  const added = addEach(
    both.map((name) => sum[name]!),
    both.map((name) => more[name]!),
  );
  return { ...sum, ...more, ...Object.fromEntries(both.map((name, i) => [name, added[i]!])) };
}

/** What brings gradients down to a global norm, as torch's `clip_grad_norm_` does. */
function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm <= 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}

/** Multiplies gradients; takes them over. */
function rescale(gradients: tf.NamedTensorMap, factor: number): tf.NamedTensorMap {
  if (factor === 1) return gradients;
  const scaled = scaleEach(Object.values(gradients), factor);
  return Object.fromEntries(Object.keys(gradients).map((name, i) => [name, scaled[i]!]));
}
