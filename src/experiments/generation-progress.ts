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

/** Shows generation: a progress bar on a terminal, elsewhere a line now and then. Call `stop` at the end. */
export function generationProgress(
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
): GenerationHooks & { stop: () => void } {
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          format: '{bar} {value}/{total} answers | {speed} tok/s | eta {eta_formatted}',
          hideCursor: true,
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
        if (!started) bar.start(total, 0, { speed });
        bar.update(finished, { speed });
      } else if (seconds - lastLine >= LINE_EVERY) {
        lastLine = seconds;
        output.write(`${finished}/${total} answers, ${speed} tok/s\n`);
      }
      started = true;
    },
    stop: () => bar?.stop(),
  };
}
