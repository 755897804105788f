/** Where progress is shown, and the one bar or line that moves there. */
import { Presets, SingleBar } from 'cli-progress';
import { endOfLiveLines, liveLine } from '../common/live-line.js';

/** A terminal, a pipe or a file. */
export type ProgressOutput = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Where progress goes unless told: the standard error, but in a kernel of Jupyter, which shows that in red. */
export function progressOutput(): NodeJS.WriteStream {
  return process.env.JPY_PARENT_PID === undefined ? process.stderr : process.stdout;
}

/** Seconds between two lines where there is no terminal to draw a bar on. */
export const LINE_EVERY = 30;

/** What a bar shows. */
export interface PhaseBar {
  /** A phase has a bar of its own. */
  readonly phase: string;
  /** The bar with its texts, in the words of cli-progress: `{bar} {value}/{total} steps | {speed}`. */
  readonly format: string;
  readonly value: number;
  readonly total: number;
  readonly texts: Readonly<Record<string, string | number>>;
}

/** An output with a bar at its end, which lines stay above. */
export class ProgressLines {
  readonly output: ProgressOutput;
  #bar: { bar: SingleBar; phase: string } | undefined;
  #isLive = false;

  constructor(output: ProgressOutput) {
    this.output = output;
  }

  /** Whether bars can be drawn. */
  get isTerminal(): boolean {
    return this.output.isTTY === true;
  }

  /** Writes a line that stays. */
  line(text: string): void {
    this.#endLive();
    if (this.#bar) this.output.write('\r\x1b[K');
    this.output.write(`${text}\n`);
    // the bar is drawn again below the line
    this.#bar?.bar.render();
  }

  /** Writes a line that the next one may take the place of. */
  live(text: string): void {
    this.output.write(liveLine(text));
    this.#isLive = true;
  }

  /** Draws the bar of a phase; only on a terminal. */
  bar({ phase, format, value, total, texts }: PhaseBar): void {
    if (this.#bar?.phase !== phase) {
      this.#bar?.bar.stop();
      // the cursor stays: Ctrl-C would leave the terminal without one
      const bar = new SingleBar(
        { stream: this.output, format, etaAsynchronousUpdate: false },
        Presets.shades_classic,
      );
      this.#bar = { bar, phase };
      bar.start(total, value, texts);
    }
    this.#bar.bar.update(value, texts);
  }

  /** Ends the bar. */
  stop(): void {
    this.#bar?.bar.stop();
    this.#bar = undefined;
    this.#endLive();
  }

  #endLive(): void {
    if (this.#isLive) this.output.write(endOfLiveLines());
    this.#isLive = false;
  }
}
