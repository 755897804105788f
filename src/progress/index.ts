/** Events of flows, shown to a person: a bar on a terminal, elsewhere lines. One listener for the events of all flows. */

import type { GenerationEvent } from '../experiments/infer.js';
import type { ScoreEvent } from '../experiments/score.js';
import type { SearchEvent } from '../experiments/search.js';
import type { StartEvent } from '../experiments/start.js';
import type { AuditEvent } from '../studies/audit.js';
import type { SubmitEvent } from '../submit/submit.js';
import type { FineTuneEvent } from '../training/events.js';
import { CountedView } from './counted.js';
import { ProgressLines, type ProgressOutput, progressOutput } from './output.js';
import { SubmissionView } from './submission.js';
import { TrainingView } from './training.js';

/** An event of any flow. */
export type FlowEvent =
  | GenerationEvent
  | ScoreEvent
  | SearchEvent
  | FineTuneEvent
  | StartEvent
  | SubmitEvent
  | AuditEvent;

/** How progress is shown. */
export interface ProgressOptions {
  /** Also losses by prompt kind. */
  readonly verbose?: boolean;
  /** A clock in milliseconds. */
  readonly now?: () => number;
  /** How a note is written: the command line spells options as flags. */
  readonly spell?: (text: string) => string;
  /** How the name of a part is written. */
  readonly heading?: (text: string) => string;
}

/**
 * Shows the events of a flow.
 * @returns a listener for its events, and a function to call when it has ended
 */
export function showProgress(
  output: ProgressOutput = progressOutput(),
  options: ProgressOptions = {},
): { onEvent: (event: FlowEvent) => void; stop: () => void } {
  const {
    verbose = false,
    now = () => performance.now(),
    spell = (text) => text,
    heading = (text) => text,
  } = options;
  const lines = new ProgressLines(output);
  const counted = new CountedView(lines, now);
  const training = new TrainingView(lines, now, verbose);
  const submission = new SubmissionView(lines, now);
  let stage = 0;
  const onEvent = (event: FlowEvent): void => {
    switch (event.type) {
      case 'note':
        lines.line(spell(event.text));
        break;
      case 'stage':
        lines.stop();
        output.write(`\n${heading(`${++stage}. ${event.name}`)}\n`);
        break;
      case 'progress':
        counted.show(event);
        break;
      case 'fine-tuning':
      case 'predicting':
        submission.show(event);
        break;
      default:
        training.show(event);
    }
  };
  return { onEvent, stop: () => lines.stop() };
}
