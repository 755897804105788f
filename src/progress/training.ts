/** Progress of a training: a bar on a terminal, elsewhere a line at every point of the log. */
import { formatDuration } from '../common/duration.js';
import type { NoteEvent } from '../common/events.js';
import type { FineTuneEvent } from '../training/events.js';
import type { MeanLoss } from '../training/tally.js';
import type { ProgressLines } from './output.js';

const formatLoss = (loss: number) => loss.toFixed(4);

function formatLosses(losses: Readonly<Record<string, MeanLoss>>): string {
  return Object.entries(losses)
    .map(([name, { loss }]) => `${name} ${formatLoss(loss)}`)
    .join(', ');
}

/** The events of a training that are no notes. */
export type TrainingEvent = Exclude<FineTuneEvent, NoteEvent>;

/** Shows steps, losses, speed and the time that is left; and a line for each validation and checkpoint. */
export class TrainingView {
  readonly #lines: ProgressLines;
  readonly #now: () => number;
  readonly #verbose: boolean;
  #maxSteps = 0;
  #firstStep = 0;
  #startedAt = 0;

  /** @param now a clock in milliseconds */
  constructor(lines: ProgressLines, now: () => number, verbose: boolean) {
    this.#lines = lines;
    this.#now = now;
    this.#verbose = verbose;
  }

  show(event: TrainingEvent): void {
    const place = (step: number) => `step ${step}/${this.#maxSteps}`;
    switch (event.type) {
      case 'start': {
        this.#maxSteps = event.maxSteps;
        this.#firstStep = event.step;
        const parameters = event.parameters.toLocaleString('en');
        this.#lines.line(`training ${parameters} parameters, steps ${event.step + 1} to ${event.maxSteps}`);
        this.#startedAt = this.#now();
        this.#bar(event.step, { loss: '-', lr: '-', speed: '-', left: '?' });
        break;
      }
      case 'step': {
        const { step, loss, learningRate, tokens, seconds } = event.report;
        const speed = Math.round(tokens / seconds);
        this.#bar(step, {
          loss: formatLoss(loss),
          lr: learningRate.toExponential(2),
          speed,
          left: this.#left(step),
        });
        break;
      }
      case 'train': {
        if (this.#lines.isTerminal) break;
        const { step, loss, learningRate, tokensPerSecond, kinds } = event.point;
        const perKind = this.#verbose && Object.keys(kinds).length > 1 ? ` (${formatLosses(kinds)})` : '';
        this.#lines.line(
          `${place(step)} loss ${formatLoss(loss)}${perKind} lr ${learningRate.toExponential(2)} ` +
            `${Math.round(tokensPerSecond)} tok/s eta ${this.#left(step)}`,
        );
        break;
      }
      case 'validation': {
        const { step, loss, kinds, datasets, samples } = event.point;
        const parts = [`by kind: ${formatLosses(kinds)}`];
        if (Object.keys(datasets).length > (this.#verbose ? 0 : 1)) {
          parts.push(`by data set: ${formatLosses(datasets)}`);
        }
        this.#lines.line(
          `${place(step)} val_loss ${formatLoss(loss)} over ${samples} samples; ${parts.join('; ')}`,
        );
        break;
      }
      case 'checkpoint':
        this.#lines.line(`${place(event.step)} saved ${event.path}`);
    }
  }

  #bar(value: number, texts: Readonly<Record<string, string | number>>): void {
    if (!this.#lines.isTerminal) return;
    const format = '{bar} {value}/{total} steps | loss {loss} | lr {lr} | {speed} tok/s | eta {left}';
    this.#lines.bar({ phase: 'training', format, value, total: this.#maxSteps, texts });
  }

  #left(step: number): string {
    const done = step - this.#firstStep;
    const seconds = (this.#now() - this.#startedAt) / 1000;
    return formatDuration(done > 0 ? (seconds / done) * (this.#maxSteps - step) : Number.NaN);
  }
}
