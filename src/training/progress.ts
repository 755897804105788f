import { Presets, SingleBar } from 'cli-progress';
import type { FineTuneEvent } from './events.js';
import type { MeanLoss } from './tally.js';

/** A duration in words as short as `3s`, `2m05s` or `1h07m`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

const formatLoss = (loss: number) => loss.toFixed(4);

function formatLosses(losses: Readonly<Record<string, MeanLoss>>): string {
  return Object.entries(losses)
    .map(([name, { loss }]) => `${name} ${formatLoss(loss)}`)
    .join(', ');
}

/** Where lines and the bar go: a terminal, a pipe or a file. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows a run: on a terminal a progress bar, elsewhere a line at every point of the log; and a line for each
 * validation, checkpoint and note.
 * @returns a listener for the run's events, and what to call when the run has ended
 */
export function trainingProgress(
  output: ProgressOutput & NodeJS.WritableStream = process.stderr,
  options: { verbose?: boolean; now?: () => number } = {},
): { onEvent: (event: FineTuneEvent) => void; stop: () => void } {
  const now = options.now ?? (() => performance.now());
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          format: '{bar} {value}/{total} steps | loss {loss} | lr {lr} | {speed} tok/s | eta {left}',
          hideCursor: true,
          clearOnComplete: false,
          etaAsynchronousUpdate: false,
        },
        Presets.shades_classic,
      )
    : undefined;
  let maxSteps = 0;
  let firstStep = 0;
  let startedAt = 0;
  let running = false;

  const line = (text: string) => {
    // the bar is redrawn below the line
    if (bar && running) output.write('\r\x1b[K');
    output.write(`${text}\n`);
    if (bar && running) bar.render();
  };
  const left = (step: number) => {
    const done = step - firstStep;
    return formatDuration(done > 0 ? ((now() - startedAt) / 1000 / done) * (maxSteps - step) : Number.NaN);
  };

  const onEvent = (event: FineTuneEvent): void => {
    switch (event.type) {
      case 'note':
        line(event.text);
        break;
      case 'start':
        ({ maxSteps, step: firstStep } = event);
        line(
          `training ${event.parameters.toLocaleString('en')} parameters, steps ${firstStep + 1} to ${maxSteps}`,
        );
        startedAt = now();
        running = true;
        bar?.start(maxSteps, firstStep, { loss: '-', lr: '-', speed: '-', left: '?' });
        break;
      case 'step': {
        const { step, loss, learningRate, tokens, seconds } = event.report;
        bar?.update(step, {
          loss: formatLoss(loss),
          lr: learningRate.toExponential(2),
          speed: Math.round(tokens / seconds),
          left: left(step),
        });
        break;
      }
      case 'train': {
        if (bar) break;
        const { step, loss, learningRate, tokensPerSecond, kinds } = event.point;
        const perKind = options.verbose && Object.keys(kinds).length > 1 ? ` (${formatLosses(kinds)})` : '';
        line(
          `step ${step}/${maxSteps} loss ${formatLoss(loss)}${perKind} lr ${learningRate.toExponential(2)} ` +
            `${Math.round(tokensPerSecond)} tok/s eta ${left(step)}`,
        );
        break;
      }
      case 'validation': {
        const { step, loss, kinds, datasets, samples } = event.point;
        const parts = [`by kind: ${formatLosses(kinds)}`];
        if (Object.keys(datasets).length > (options.verbose ? 0 : 1)) {
          parts.push(`by data set: ${formatLosses(datasets)}`);
        }
        line(
          `step ${step}/${maxSteps} val_loss ${formatLoss(loss)} over ${samples} samples; ${parts.join('; ')}`,
        );
        break;
      }
      case 'checkpoint':
        line(`step ${event.step}/${maxSteps} saved ${event.path}`);
    }
  };
  return {
    onEvent,
    stop: () => {
      if (running) bar?.stop();
      running = false;
    },
  };
}
