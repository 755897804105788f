import type { scheduleNames } from '../options/training.js';

export type ScheduleName = (typeof scheduleNames)[number];

/** What a schedule needs to know. */
export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** The largest learning rate. */
  readonly learningRate: number;
  /** Optimizer steps of the whole run. */
  readonly maxSteps: number;
  /** Steps of the linear ramp from zero. */
  readonly warmupSteps: number;
  /** Hard restarts of `cosine_with_restarts` (default 1), or triangles of `cyclic` (default 4). */
  readonly numCycles?: number;
  /** The lowest learning rate of `cyclic`, as a part of the largest (default 0.1). */
  readonly minRatio?: number;
}

/**
 * The learning rate of each optimizer step, counted from 0: the formulas of transformers'
 * `optimization.py` (a warmup of n steps starts at 0 and reaches the top at step n) and, for `cyclic`, of
 * torch's `CyclicLR` in its triangular mode, whose first triangle takes the place of a warmup.
 */
export function learningRateSchedule(options: ScheduleOptions): (step: number) => number {
  const { name, learningRate, maxSteps, warmupSteps } = options;
  const progress = (step: number) => (step - warmupSteps) / Math.max(1, maxSteps - warmupSteps);
  const afterWarmup: Record<ScheduleName, (step: number) => number> = {
    linear: (step) => Math.max(0, (maxSteps - step) / Math.max(1, maxSteps - warmupSteps)),
    constant_with_warmup: () => 1,
    cosine: (step) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress(step)))),
    cosine_with_restarts: (step) =>
      progress(step) >= 1
        ? 0
        : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (((options.numCycles ?? 1) * progress(step)) % 1)))),
    cyclic: (step) => {
      const halfCycle = Math.max(1, Math.round(maxSteps / (2 * (options.numCycles ?? 4))));
      const minRatio = options.minRatio ?? 0.1;
      const position = (step / halfCycle) % 2;
      return minRatio + (1 - minRatio) * (1 - Math.abs(position - 1));
    },
  };
  const ratio = afterWarmup[name];
  return (step) =>
    learningRate * (step < warmupSteps && name !== 'cyclic' ? step / Math.max(1, warmupSteps) : ratio(step));
}
