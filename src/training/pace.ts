import type { FineTuneConfig } from './options.js';
import { learningRateSchedule } from './schedules.js';

/** The first step is slower, and a single one is not enough: the pace is measured from this step on. */
const MEASURED_FROM = 3;

/**
 * Makes a run end in time: measures how long steps take, and shortens the run to the steps that fit, its
 * learning-rate schedule with it. As long as all steps fit it changes nothing, so that a run
 * that is not limited by time is the same every time.
 */
export class Pace {
  /** How many steps the run has, as far as can be told now. */
  steps: number;
  #first: { step: number; left: number } | undefined;

  /** @param secondsLeft how long the run may still take */
  constructor(
    readonly maxSteps: number,
    readonly secondsLeft: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.steps = maxSteps;
  }

  /** Takes note that a step has been taken (counted from 1), and plans the rest. */
  after(step: number): void {
    const left = this.secondsLeft();
    if (left === Number.POSITIVE_INFINITY) return;
    if (left <= 0) this.steps = step;
    if (!this.#first) this.#first = { step, left };
    else if (left > 0 && step >= this.#first.step + MEASURED_FROM - 1) {
      const perStep = (this.#first.left - left) / (step - this.#first.step);
      this.steps = Math.min(this.maxSteps, step + Math.floor(left / perStep));
    }
  }

  /** The place in the whole run's schedule of a step, counted from 0, of the run as it is planned now. */
  position(step: number): number {
    return this.steps === this.maxSteps ? step : (step * this.maxSteps) / this.steps;
  }

  /** The learning rate of each step, counted from 0, of the run as it is planned when the step is taken. */
  schedule(
    config: Pick<
      FineTuneConfig,
      'learningRate' | 'lrSchedulerType' | 'lrNumCycles' | 'maxSteps' | 'warmupSteps'
    >,
  ): (step: number) => number {
    const { lrSchedulerType: name, lrNumCycles: numCycles } = config;
    const schedule = learningRateSchedule({ ...config, name, numCycles });
    return (step) => schedule(this.position(step));
  }
}
