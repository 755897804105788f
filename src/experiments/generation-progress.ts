import { Presets, SingleBar } from 'cli-progress';
import type { GenerationProgress } from '../generation/engine.js';
import type { GenerationHooks } from './infer.js';

/** Seconds between two lines where there is no terminal to draw a bar on. */
const LINE_EVERY = 30;

/** Speed and what was found in the cache, in words. */
export function describeSpeed({ tokens, promptTokens, reusedTokens, seconds }: GenerationProgress): string {
  const speed = (tokens + promptTokens) / Math.max(seconds, 1e-3);
  return (
    `${tokens} tokens written, ${promptTokens} read, ${reusedTokens} found in the cache, ` +
    `in ${seconds.toFixed(1)} s: ${speed.toFixed(0)} tok/s`
  );
}

/** The time that is left if all answers take as long as those so far, in words. */
function timeLeft({ finished, total, seconds }: GenerationProgress): string {
  if (finished === 0) return 'reading prompts';
  const left = Math.ceil((seconds / finished) * (total - finished));
  return left < 60 ? `${left} s left` : `${Math.floor(left / 60)} min ${left % 60} s left`;
}

/** Shows generation: a progress bar on a terminal, elsewhere a line now and then. Call `stop` at the end. */
export function generationProgress(
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
): GenerationHooks & { stop: () => void } {
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          // the cursor stays: Ctrl-C would leave the terminal without one
          format: '{bar} {value}/{total} answers | {speed} tok/s | {left}',
        },
        Presets.shades_classic,
      )
    : undefined;
  let started = false;
  let lastLine = 0;
  return {
    onNote: (text) => output.write(`${text}\n`),
    onProgress(progress) {
      const { finished, total, tokens, promptTokens, seconds } = progress;
      const speed = ((tokens + promptTokens) / Math.max(seconds, 1e-3)).toFixed(0);
      if (bar) {
        const payload = { speed, left: timeLeft(progress) };
        if (!started) bar.start(total, 0, payload);
        bar.update(finished, payload);
      } else if (seconds - lastLine >= LINE_EVERY) {
        lastLine = seconds;
        output.write(`${finished}/${total} answers, ${speed} tok/s, ${timeLeft(progress)}\n`);
      }
      started = true;
    },
    stop: () => bar?.stop(),
  };
}
