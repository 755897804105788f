import type { Hooks, NoteEvent } from '../common/events.js';
import type { TrainPoint, ValidationPoint } from './metrics-log.js';
import type { StepReport } from './trainer.js';

/** Events of a run, for progress bars, plots and reports. */
export type FineTuneEvent =
  | NoteEvent
  | {
      readonly type: 'start';
      /** Steps that were taken before, by the run that is continued. */
      readonly step: number;
      readonly maxSteps: number;
      /** How many numbers are trained. */
      readonly parameters: number;
    }
  | { readonly type: 'step'; readonly report: StepReport }
  | { readonly type: 'train'; readonly point: TrainPoint }
  | { readonly type: 'validation'; readonly point: ValidationPoint }
  | { readonly type: 'checkpoint'; readonly step: number; readonly path: string };

/** How a program follows a run and stops it. */
export interface FineTuneHooks extends Hooks<FineTuneEvent> {
  /** How many seconds the steps may still take: the run, its schedule included, is shortened to what fits. */
  secondsLeft?: (() => number) | undefined;
}
