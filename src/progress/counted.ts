/** Progress of what is counted: answers that are generated, prompts that are scored. */
import { formatDuration } from '../common/duration.js';
import type { ProgressEvent } from '../common/events.js';
import type { GenerationProgress } from '../generation/engine.js';
import { LINE_EVERY, type ProgressLines } from './output.js';

/** Speed and what was found in the cache, in words. */
export function describeSpeed({ tokens, promptTokens, reusedTokens, seconds }: GenerationProgress): string {
  const speed = (tokens + promptTokens) / Math.max(seconds, 1e-3);
  return (
    `${tokens} tokens written, ${promptTokens} read, ${reusedTokens} found in the cache, ` +
    `in ${seconds.toFixed(1)} s: ${speed.toFixed(0)} tok/s`
  );
}

type Counted = ProgressEvent & Partial<GenerationProgress>;

/** Shows how many are done, how fast, and the time that is left if all take as long as those so far. */
export class CountedView {
  readonly #lines: ProgressLines;
  readonly #now: () => number;
  #unit: string | undefined;
  #finished = 0;
  #startedAt = 0;
  #lastLine = 0;

  /** @param now a clock in milliseconds */
  constructor(lines: ProgressLines, now: () => number) {
    this.#lines = lines;
    this.#now = now;
  }

  show(event: Counted): void {
    const { unit, finished, total } = event;
    // another flow begins
    if (unit !== this.#unit || finished < this.#finished) {
      this.#unit = unit;
      this.#startedAt = this.#now();
      this.#lastLine = 0;
    }
    this.#finished = finished;
    const seconds = event.seconds ?? (this.#now() - this.#startedAt) / 1000;
    const left =
      finished === 0
        ? 'reading prompts'
        : `${formatDuration((seconds / finished) * (total - finished))} left`;
    const speed = speedOf(event, seconds);
    if (this.#lines.isTerminal) {
      const format = `{bar} {value}/{total} ${unit} | {text}`;
      const text = [...speed, left].join(' | ');
      this.#lines.bar({ phase: unit, format, value: finished, total, texts: { text } });
    } else if (seconds - this.#lastLine >= LINE_EVERY) {
      this.#lastLine = seconds;
      this.#lines.live([`${finished}/${total} ${unit}`, ...speed, left].join(', '));
    }
  }
}

function speedOf({ tokens, promptTokens }: Counted, seconds: number): string[] {
  if (tokens === undefined || promptTokens === undefined) return [];
  return [`${((tokens + promptTokens) / Math.max(seconds, 1e-3)).toFixed(0)} tok/s`];
}
