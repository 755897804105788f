import { type Decoder, saveAdapter, saveModel } from '../models/index.js';
import { OutOfMemoryError } from '../tensors/errors.js';
import { notFiniteAdvice, notFiniteReason } from '../tensors/finite-advice.js';
import { GpuFailedError } from '../tensors/webgpu/errors.js';
import { bestValidation, decidingLoss, validationsSinceBest } from './best.js';
import { listCheckpoints, restoreTensors, saveCheckpoint, type TrainerState } from './checkpoints.js';
import type { FineTuneEvent } from './events.js';
import { MetricsLog, type TrainingHistory, type TrainPoint, type ValidationPoint } from './metrics-log.js';
import type { FineTuneConfig } from './options.js';
import { Pace } from './pace.js';
import type { TrainingSample } from './sample.js';
import type { SampleStream } from './sample-stream.js';
import { LossTally } from './tally.js';
import type { Team } from './team.js';
import { type StepReport, Trainer } from './trainer.js';
import { evaluateLoss } from './validation.js';

/** The result of a run. */
export interface FineTuneResult extends RunOutcome {
  /** The newest checkpoint's folder, or with `loadBestModelAtEnd` the best one's. */
  readonly checkpoint: string;
}

/** The result of any run, whether it writes checkpoints or not. */
export interface RunOutcome {
  /** Optimizer steps taken, those before a continuation included. */
  readonly steps: number;
  /** Stopped by the signal before the last step. */
  readonly interrupted: boolean;
  /** Training and validation losses over the steps. */
  readonly history: TrainingHistory;
}

/** What a run does; without an `outputDir` it is done in memory, and nothing is written. */
export type RunConfig = Omit<FineTuneConfig, 'outputDir'> & { readonly outputDir?: string };

/** The part of a run that has state: steps, windows of the log, validation and checkpoints. */
export class Run {
  readonly #trainer: Trainer;
  #history: TrainingHistory = { train: [], validation: [] };
  #window = { tally: new LossTally(), tokens: 0, seconds: 0, gradNorm: 0 };
  #tokens = 0;
  #metrics: MetricsLog | undefined;
  #lastSaved = -1;
  #isNotFiniteNoted = false;

  constructor(
    readonly config: RunConfig,
    readonly decoder: Decoder,
    readonly stream: SampleStream,
    readonly validation: readonly TrainingSample[],
    readonly onEvent: (event: FineTuneEvent) => void,
    readonly pace = new Pace(config.maxSteps),
    /** Kept with every checkpoint: {@link TrainerState.inputs}. */
    readonly inputs: Readonly<Record<string, string>> = {},
    /** The ranks that share the run: the first of them writes its files. */
    readonly team?: Team,
  ) {
    this.#trainer = new Trainer(decoder, stream, { ...config, schedule: pace.schedule(config), team });
  }

  /** Whether this process writes the run's files. */
  get #isFirst(): boolean {
    return (this.team?.rank ?? 0) === 0;
  }

  /** Goes on from a checkpoint, which the first rank reads for all. */
  async restore(path: string, state: TrainerState): Promise<void> {
    const { optimizer } = this.#trainer;
    if (this.#isFirst) restoreTensors(path, optimizer.tensors());
    await this.team?.spreadState(optimizer);
    this.#trainer.state = state;
    this.#tokens = state.tokens;
    this.#history = state.history;
    this.#window = { ...this.#window, ...state.window, tally: new LossTally(state.window.tally) };
    this.#lastSaved = state.step;
  }

  /**
   * Takes the steps that are left, and keeps checkpoints of them.
   * @throws {GpuFailedError} when the GPU is lost on the way: it says what the run goes on from, as
   * {@link OutOfMemoryError} does when memory does not suffice
   */
  async train(signal?: AbortSignal): Promise<RunOutcome> {
    try {
      return await this.#takeSteps(signal);
    } catch (error) {
      const newest = this.#newestCheckpoint();
      if (error instanceof OutOfMemoryError && newest) {
        const kept = `${newest.path} is whole, and the run goes on from step ${newest.step}`;
        throw new OutOfMemoryError(`${error.message}; ${kept}`, error.isAdvised);
      }
      if (!(error instanceof GpuFailedError)) throw error;
      throw new GpuFailedError(`${error.reason} in step ${this.#trainer.state.step + 1}`, this.#whatIsKept());
    }
  }

  #newestCheckpoint() {
    const { outputDir } = this.config;
    return outputDir === undefined ? undefined : listCheckpoints(outputDir).at(-1);
  }

  /** Where a run that broke goes on. */
  #whatIsKept(): string {
    const { outputDir } = this.config;
    if (outputDir === undefined) return 'nothing of the run is kept: begin again, or use another `backend`';
    const newest = this.#newestCheckpoint();
    const again = 'run the same command again, with this or another `backend`';
    return newest
      ? `${newest.path} is whole: ${again}, and it goes on from step ${newest.step} with the same data`
      : `no checkpoint was due yet: ${again}`;
  }

  async #takeSteps(signal?: AbortSignal): Promise<RunOutcome> {
    const { config } = this;
    const { maxSteps } = config;
    const stops = async () => {
      const isAborted = signal?.aborted ?? false;
      return this.team?.any(isAborted) ?? isAborted;
    };
    if (config.outputDir !== undefined && this.#isFirst) {
      this.#metrics = new MetricsLog(config.outputDir, this.#trainer.state.step);
    }
    const variables = [...this.decoder.trainableVariables().values()];
    const parameters = variables.reduce((sum, { size }) => sum + size, 0);
    this.onEvent({ type: 'start', step: this.#trainer.state.step, maxSteps, parameters });
    await this.#validateIfDue(signal); // a run that was stopped at this step did not get to it
    while (this.#trainer.state.step < this.pace.steps && !(await stops()) && !this.#patienceIsOver) {
      const report = await this.#trainer.step();
      await this.#follow(report.step);
      this.onEvent({ type: 'step', report });
      if (!report.updated) this.onEvent({ type: 'note', text: skippedStep(report) });
      this.#log(report);
      if (await stops()) break;
      await this.#validateIfDue(signal);
      const isBest = config.loadBestModelAtEnd && this.#best?.step === report.step;
      if (isBest || this.#isSaveDue(report.step)) await this.#save();
    }
    const { step } = this.#trainer.state;
    if (this.#lastSaved !== step) await this.#save();
    const patienceIsOver = this.#patienceIsOver;
    if (patienceIsOver && step < this.pace.steps) this.#tellOfStop();
    return {
      steps: step,
      interrupted: step < this.pace.steps && !patienceIsOver,
      history: this.#history,
    };
  }

  /** The validation with the lowest loss so far. */
  get #best(): ValidationPoint | undefined {
    return bestValidation(this.#history.validation, this.config.metricForBestModel);
  }

  get #patienceIsOver(): boolean {
    const { earlyStoppingPatience, metricForBestModel } = this.config;
    if (earlyStoppingPatience < 0) return false;
    return validationsSinceBest(this.#history.validation, metricForBestModel) >= earlyStoppingPatience;
  }

  #tellOfStop(): void {
    const best = this.#best;
    const lowest =
      best && `${decidingLoss(best, this.config.metricForBestModel).toFixed(4)} at step ${best.step}`;
    const text = `stopped early: ${this.config.earlyStoppingPatience} validation losses in a row were not below ${lowest}`;
    this.onEvent({ type: 'note', text });
  }

  /** The folder of the checkpoint that the run ends with. */
  checkpoint(): string {
    const checkpoints = listCheckpoints(this.config.outputDir!);
    const best = this.config.loadBestModelAtEnd
      ? checkpoints.find(({ step }) => step === this.#best?.step)
      : undefined;
    return (best ?? checkpoints.at(-1)!).path;
  }

  /** Every so many steps of the whole run: one that is shortened keeps as many checkpoints on its way. */
  #isSaveDue(step: number): boolean {
    const { saveSteps } = this.config;
    const part = (step: number) => Math.floor(this.pace.position(step) / saveSteps);
    return saveSteps > 0 && part(step) > part(step - 1);
  }

  /** Plans the rest of the run against the clock, and reports when it gets shorter for the first time. */
  async #follow(step: number): Promise<void> {
    const whole = this.pace.steps === this.config.maxSteps;
    this.pace.after(step);
    if (this.team) this.pace.steps = await this.team.ofFirst(this.pace.steps);
    const { steps, maxSteps } = this.pace;
    if (whole && steps < maxSteps) {
      this.onEvent({ type: 'note', text: `about ${steps} of ${maxSteps} steps fit into the time` });
    }
  }

  #log(report: StepReport): void {
    this.#tokens += report.tokens;
    // a loss that is not finite would make the mean so, and JSON has no such numbers
    if (Number.isFinite(report.loss)) this.#window.tally.merge(report.tally);
    if (report.updated) this.#window.gradNorm = report.gradNorm;
    this.#window.tokens += report.tokens;
    this.#window.seconds += report.seconds;
    const { tally, tokens, seconds, gradNorm } = this.#window;
    const due = isDue(report.step, this.config.loggingSteps) || report.step >= this.pace.steps;
    if (!due || tally.total.labels === 0) return;
    const point: TrainPoint = {
      step: report.step,
      loss: tally.weightedLoss,
      kinds: tally.byKind(),
      learningRate: report.learningRate,
      gradNorm,
      tokens: this.#tokens,
      tokensPerSecond: tokens / seconds,
    };
    this.#window = { tally: new LossTally(), tokens: 0, seconds: 0, gradNorm };
    this.#history.train.push(point);
    this.#metrics?.train(point);
    this.onEvent({ type: 'train', point });
  }

  async #validateIfDue(signal?: AbortSignal): Promise<void> {
    const { step } = this.#trainer.state;
    const due = isDue(step, this.config.evalSteps) || step >= this.config.maxSteps;
    const done = this.#history.validation.at(-1)?.step === step;
    if (!due || done || this.validation.length === 0) return;
    const report = await evaluateLoss(this.decoder, this.validation, this.config, signal, this.team);
    if (!report) return;
    this.#noteNotFinite(report.loss);
    const point = { step, ...report };
    this.#history.validation.push(point);
    this.#metrics?.validation(point);
    this.onEvent({ type: 'validation', point });
  }

  /** Says once why validation losses are no numbers, which `metrics.jsonl` has as null. */
  #noteNotFinite(loss: number): void {
    if (Number.isFinite(loss) || this.#isNotFiniteNoted) return;
    this.#isNotFiniteNoted = true;
    const { floatType } = this.decoder;
    const reason = `${notFiniteReason(floatType)}; ${notFiniteAdvice(floatType)}`;
    this.onEvent({ type: 'note', text: `the validation loss is not finite: ${reason}` });
  }

  async #save(): Promise<void> {
    const { config, decoder } = this;
    if (config.outputDir === undefined) return;
    await this.team?.beforeSaving(this.#trainer.optimizer, decoder);
    if (!this.#isFirst) {
      this.#lastSaved = this.#trainer.state.step;
      return;
    }
    const { tally } = this.#window;
    const path = await saveCheckpoint(config.outputDir, {
      config,
      limit: config.saveTotalLimit,
      best: config.loadBestModelAtEnd ? this.#best?.step : undefined,
      state: {
        ...this.#trainer.state,
        rng: { seed: config.seed, streamIndex: this.stream.position },
        tokens: this.#tokens,
        window: { ...this.#window, tally: tally.state },
        history: this.#history,
        inputs: this.inputs,
      },
      tensors: this.#trainer.optimizer.tensors(),
      saveModel: (folder) => (config.useLora ? saveAdapter : saveModel)(decoder, folder),
    });
    this.#lastSaved = this.#trainer.state.step;
    this.onEvent({ type: 'checkpoint', step: this.#lastSaved, path });
  }

  dispose(): void {
    this.#metrics?.close();
    this.#trainer.dispose();
  }
}

function skippedStep({ step, lossScale }: StepReport): string {
  const why = lossScale > 1 ? `the gradient overflowed with a loss scale of ${lossScale}, halved now` : '';
  return `step ${step} was skipped: ${why || 'its gradient is not finite'}`;
}

/** Every so many steps; -1 = never. */
function isDue(step: number, every: number): boolean {
  return every > 0 && step > 0 && step % every === 0;
}
