import { stripVTControlCharacters } from 'node:util';
import type { CellPlace, RunEvent } from '../../kernel/runner/index.js';
import { colorsFor } from '../display/terminal-colors.js';

/** A stream that may be a terminal. */
type TerminalStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/** Milliseconds between two updates of the running cell's time. */
const TICK = 500;

/** Seconds in words: `0.4 s`, `83 s`, `12 min 5 s`. */
function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 600) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A line for each cell; on a terminal it shows the time while the cell runs. Call `stop` at the end. */
export function runProgress(output: TerminalStream = process.stderr): {
  onEvent: (event: RunEvent) => void;
  stop: () => void;
} {
  let timer: NodeJS.Timeout | undefined;
  const colors = colorsFor(output);
  const width = () => (output.isTTY ? Math.max(40, output.columns ?? 80) - 1 : 100);

  const line = (
    { number, total, title, action }: CellPlace,
    state: string,
    paint = (text: string) => text,
  ) => {
    const digits = String(total).length;
    const place = `[${(number === 0 ? '+' : String(number)).padStart(digits)}/${total}]`;
    const what = action === 'rebuild' ? `(again) ${title}` : title;
    const plain = `${place} ${state.padStart(9)}  `;
    return paint(plain) + stripVTControlCharacters(what).slice(0, Math.max(0, width() - plain.length));
  };
  const clear = () => {
    clearInterval(timer);
    timer = undefined;
    if (output.isTTY) output.write('\r\x1b[2K');
  };

  return {
    onEvent(event) {
      if (event.type === 'note') {
        // a note may arrive while the line of a cell is shown
        if (output.isTTY && timer) output.write('\r\x1b[2K');
        output.write(`${event.text}\n`);
        return;
      }
      if (event.type === 'start') {
        if (!output.isTTY) return;
        const started = performance.now();
        const show = () => {
          const state = duration(Math.floor((performance.now() - started) / 1000)).replace('.0', '');
          output.write(`\r\x1b[2K${line(event.cell, state, colors.dim)}`);
        };
        show();
        timer = setInterval(show, TICK);
        return;
      }
      clear();
      const { cell, failure } = event;
      const state = event.type === 'late' ? 'late' : duration(event.seconds);
      output.write(`${line(cell, state, failure ? colors.red : undefined)}\n`);
      if (!failure) return;
      const traceback = failure.traceback.join('\n').trimEnd();
      if (traceback !== '')
        output.write(`${colors.isColorSupported ? traceback : stripVTControlCharacters(traceback)}\n`);
    },
    stop: clear,
  };
}
