/** Progress of a submission: its phases with what is done of their plan. */
import { formatDuration } from '../common/duration.js';
import type { NoteEvent } from '../common/events.js';
import type { SubmitEvent } from '../submit/submit.js';
import { LINE_EVERY, type ProgressLines } from './output.js';

/** How much time there is, in words; nothing without a time budget. */
const left = (seconds: number) =>
  seconds === Number.POSITIVE_INFINITY ? '' : `, ${formatDuration(seconds)} of the time left`;

/** Shows the phases of a submission as bars on a terminal, elsewhere as a line at intervals. */
export class SubmissionView {
  readonly #lines: ProgressLines;
  readonly #now: () => number;
  readonly #lastLines = new Map<string, number>();

  /** @param now a clock in milliseconds */
  constructor(lines: ProgressLines, now: () => number) {
    this.#lines = lines;
    this.#now = now;
  }

  show(event: Exclude<SubmitEvent, NoteEvent>): void {
    if (event.type === 'fine-tuning') {
      const { group, groups, step, maxSteps, loss, secondsLeft } = event;
      const phase = groups > 1 ? `fine-tuning ${group} of ${groups}` : 'fine-tuning';
      this.#phase(phase, step, maxSteps, `loss ${loss.toFixed(4)}${left(secondsLeft)}`);
      return;
    }
    const { done, total, perInput, secondsLeft, secondsNeeded, failures } = event;
    const failed = failures > 0 ? `, ${failures} failures` : '';
    const plan = `${perInput.toFixed(1)} for each test input, ${formatDuration(secondsNeeded)} for all`;
    this.#phase('predictions', done, total, `${plan}${left(secondsLeft)}${failed}`);
  }

  #phase(phase: string, value: number, total: number, text: string): void {
    if (this.#lines.isTerminal) {
      this.#lines.bar({
        phase,
        format: `${phase} {bar} {value}/{total} | {text}`,
        value,
        total,
        texts: { text },
      });
      return;
    }
    const now = this.#now() / 1000;
    if (now - (this.#lastLines.get(phase) ?? Number.NEGATIVE_INFINITY) < LINE_EVERY && value < total) return;
    this.#lastLines.set(phase, now);
    this.#lines.line(`${phase} ${value}/${total}: ${text}`);
  }
}
