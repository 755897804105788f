import type { TrainPoint, ValidationPoint } from './metrics-log.js';
import type { StepReport } from './trainer.js';

/** What happens during a run, for progress bars, plots and reports. */
export type FineTuneEvent =
  | { readonly type: 'note'; readonly text: string }
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
