import { Presets, SingleBar } from 'cli-progress';

/** Seconds between two lines where there is no terminal to draw a bar on. */
const LINE_EVERY = 30;

/** Shows how many of some things are done: a bar on a terminal, elsewhere a line now and then. Call `stop` at the end. */
export function countProgress(
  things: string,
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
): { onProgress: (done: number, total: number) => void; stop: () => void } {
  const bar = output.isTTY
    ? new SingleBar(
        { stream: output, format: `{bar} {value}/{total} ${things} | {eta_formatted} left` },
        Presets.shades_classic,
      )
    : undefined;
  let lastLine = performance.now();
  return {
    onProgress(done, total) {
      if (bar) {
        if (!bar.isActive) bar.start(total, 0);
        bar.update(done);
      } else if (performance.now() - lastLine >= 1000 * LINE_EVERY) {
        lastLine = performance.now();
        output.write(`${done}/${total} ${things}\n`);
      }
    },
    stop: () => bar?.stop(),
  };
}
