import { Presets, SingleBar } from 'cli-progress';
import { formatDuration } from '../training/progress.js';
import type { SubmitHooks } from './submit.js';

/** Seconds between two lines where there is no terminal to draw a bar on. */
const LINE_EVERY = 30;

/** How much time there is, in words; nothing without a time budget. */
const left = (seconds: number) =>
  seconds === Number.POSITIVE_INFINITY ? '' : `, ${formatDuration(seconds)} of the time left`;

/**
 * Shows a submission: its notes, and the plan with what is done of it, as a bar on a terminal and as a line now
 * and then elsewhere. Call `stop` at the end.
 */
export function submitProgress(
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
  now: () => number = () => performance.now() / 1000,
): Required<Omit<SubmitHooks, 'signal'>> & { stop: () => void } {
  let bar: { bar: SingleBar; phase: string } | undefined;
  const lastLines = new Map<string, number>();
  const show = (phase: string, value: number, total: number, text: string): void => {
    if (!output.isTTY) {
      if (now() - (lastLines.get(phase) ?? Number.NEGATIVE_INFINITY) < LINE_EVERY && value < total) return;
      lastLines.set(phase, now());
      output.write(`${phase} ${value}/${total}: ${text}\n`);
      return;
    }
    if (bar?.phase !== phase) {
      bar?.bar.stop();
      // the cursor stays: Ctrl-C would leave the terminal without one
      const format = `${phase} {bar} {value}/{total} | {text}`;
      bar = { phase, bar: new SingleBar({ stream: output, format }, Presets.shades_classic) };
      bar.bar.start(total, value, { text });
    }
    bar.bar.update(value, { text });
  };
  return {
    onNote(text) {
      bar?.bar.stop();
      bar = undefined;
      output.write(`${text}\n`);
    },
    onFineTuning({ group, groups, step, maxSteps, loss, secondsLeft }) {
      const phase = groups > 1 ? `fine-tuning ${group} of ${groups}` : 'fine-tuning';
      show(phase, step, maxSteps, `loss ${loss.toFixed(4)}${left(secondsLeft)}`);
    },
    onPredicting({ done, total, perInput, secondsLeft, secondsNeeded, failures }) {
      const failed = failures > 0 ? `, ${failures} failures` : '';
      const plan = `${perInput.toFixed(1)} for each test input, ${formatDuration(secondsNeeded)} for all`;
      show('predictions', done, total, `${plan}${left(secondsLeft)}${failed}`);
    },
    stop: () => bar?.bar.stop(),
  };
}
