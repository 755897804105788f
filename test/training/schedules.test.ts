import { expect, test } from 'vitest';
import { learningRateSchedule, type ScheduleOptions } from '../../src/training/schedules.js';
import cases from './fixtures/schedules.json' with { type: 'json' };

test.each(cases)(
  '$name, $maxSteps steps, warmup $warmupSteps, cycles $numCycles: the rates of the reference',
  (reference) => {
    const schedule = learningRateSchedule(reference as ScheduleOptions);
    for (const [step, rate] of reference.rates.entries()) expect(schedule(step)).toBeCloseTo(rate, 12);
  },
);
