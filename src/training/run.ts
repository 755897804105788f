import { type Decoder, saveAdapter, saveModel } from '../models/index.js';
import { listCheckpoints, restoreTensors, saveCheckpoint, type TrainerState } from './checkpoints.js';
import type { FineTuneEvent } from './events.js';
import { MetricsLog, type TrainingHistory, type TrainPoint } from './metrics-log.js';
import type { FineTuneConfig } from './options.js';
import { Pace } from './pace.js';
import type { TrainingSample } from './sample-source.js';
import type { SampleStream } from './sample-stream.js';
import { learningRateSchedule } from './schedules.js';
import { LossTally } from './tally.js';
import { type StepReport, Trainer } from './trainer.js';
import { evaluateLoss } from './validation.js';

/** What a run came to. */
export interface RunResult {
  /** The newest checkpoint's folder. */
  readonly checkpoint: string;
  /** Optimizer steps taken, those before a continuation included. */
  readonly steps: number;
  /** Stopped by the signal before the last step. */
  readonly interrupted: boolean;
  /** Training and validation losses over the steps. */
  readonly history: TrainingHistory;
}

/** The part of a run that has state: steps, windows of the log, validation and checkpoints. */
export class Run {
  readonly #trainer: Trainer;
  #history: TrainingHistory = { train: [], validation: [] };
  #window = { tally: new LossTally(), tokens: 0, seconds: 0, gradNorm: 0 };
  #tokens = 0;
  #metrics: MetricsLog | undefined;
  #lastSaved = -1;

  constructor(
    readonly config: FineTuneConfig,
    readonly decoder: Decoder,
    readonly stream: SampleStream,
    readonly validation: readonly TrainingSample[],
    readonly onEvent: (event: FineTuneEvent) => void,
    readonly pace = new Pace(config.maxSteps),
  ) {
    const schedule = learningRateSchedule({
      ...config,
      name: config.lrSchedulerType,
      numCycles: config.lrNumCycles,
    });
    this.#trainer = new Trainer(decoder, stream, {
      ...config,
      schedule: (step) => schedule(pace.position(step)),
    });
  }

  restore(path: string, state: TrainerState): void {
    restoreTensors(path, this.#trainer.optimizer.tensors());
    this.#trainer.state = state;
    this.#tokens = state.tokens;
    this.#history = state.history;
    this.#window = { ...this.#window, ...state.window, tally: new LossTally(state.window.tally) };
    this.#lastSaved = state.step;
  }

  async train(signal?: AbortSignal): Promise<RunResult> {
    const { config } = this;
    const { maxSteps } = config;
    this.#metrics = new MetricsLog(config.outputDir, this.#trainer.state.step);
    const variables = [...this.decoder.trainableVariables().values()];
    const parameters = variables.reduce((sum, { size }) => sum + size, 0);
    this.onEvent({ type: 'start', step: this.#trainer.state.step, maxSteps, parameters });
    await this.#validateIfDue(signal); // a run that was stopped at this step did not get to it
    while (this.#trainer.state.step < this.pace.steps && !signal?.aborted) {
      const report = await this.#trainer.step();
      this.#follow(report.step);
      this.onEvent({ type: 'step', report });
      if (!report.updated) this.onEvent({ type: 'note', text: skippedStep(report) });
      this.#log(report);
      if (signal?.aborted) break;
      await this.#validateIfDue(signal);
      if (this.#isSaveDue(report.step)) this.#save();
    }
    const { step } = this.#trainer.state;
    if (this.#lastSaved !== step) this.#save();
    return {
      checkpoint: listCheckpoints(config.outputDir).at(-1)!.path,
      steps: step,
      interrupted: step < this.pace.steps,
      history: this.#history,
    };
  }

  /** Every so many steps of the whole run: one that is shortened keeps as many checkpoints on its way. */
  #isSaveDue(step: number): boolean {
    const { saveSteps } = this.config;
    const part = (step: number) => Math.floor(this.pace.position(step) / saveSteps);
    return saveSteps > 0 && part(step) > part(step - 1);
  }

  /** Plans the rest of the run against the clock, and tells when it gets shorter for the first time. */
  #follow(step: number): void {
    const whole = this.pace.steps === this.config.maxSteps;
    this.pace.after(step);
    const { steps, maxSteps } = this.pace;
    if (whole && steps < maxSteps) {
      this.onEvent({ type: 'note', text: `about ${steps} of ${maxSteps} steps fit into the time` });
    }
  }

  #log(report: StepReport): void {
    this.#tokens += report.tokens;
    // what is not a number would make the mean none, and JSON has no such numbers
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
    const report = await evaluateLoss(this.decoder, this.validation, this.config, signal);
    if (!report) return;
    const point = { step, ...report };
    this.#history.validation.push(point);
    this.#metrics?.validation(point);
    this.onEvent({ type: 'validation', point });
  }

  #save(): void {
    const { config, decoder } = this;
    const { tally } = this.#window;
    const path = saveCheckpoint(config.outputDir, {
      config,
      state: {
        ...this.#trainer.state,
        rng: { seed: config.seed, streamIndex: this.stream.position },
        tokens: this.#tokens,
        window: { ...this.#window, tally: tally.state },
        history: this.#history,
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
