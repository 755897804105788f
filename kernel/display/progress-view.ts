import type { MimeBundle } from '../contract.js';
import type { DisplayApi, DisplayHandle } from './display.js';
import { escapeHtml } from './table.js';

/** What a progress bar shows. */
export interface BarState {
  label: string;
  /** How much is done, 0 to 1; undefined where the total is not known. */
  share: number | undefined;
  /** `12/40 30% 0:05 < 0:12` */
  numbers: string;
  note: string;
}

/** How a bar appears. */
export interface BarView {
  draw(state: BarState): void;
  /** The cell ends, or the bar is over: what stays in the notebook is this. */
  settle(state: BarState, isOver: boolean): void;
}

const WIDTH = 24;

/** A bar as text and HTML. */
export function barBundle({ label, share, numbers, note }: BarState): MimeBundle {
  const full = Math.round(WIDTH * (share ?? 0));
  const bar = share === undefined ? '' : `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`;
  const value = share === undefined ? '' : ` value="${share}"`;
  const words = [numbers, note].filter(Boolean).join(' ');
  return {
    'text/plain': [label, bar, numbers, note].filter(Boolean).join(' '),
    'text/html': `<div>${escapeHtml(label)} <progress max="1"${value}></progress> <code>${escapeHtml(words)}</code></div>`,
  };
}

/** A bar that is an output, replaced as it moves. */
export class OutputBar implements BarView {
  readonly #display: DisplayApi;
  #handle: DisplayHandle | undefined;

  constructor(display: DisplayApi) {
    this.#display = display;
  }

  draw(state: BarState): void {
    this.show(barBundle(state));
  }

  settle(): void {}

  /** Shows a MIME bundle where the bar is. */
  show(bundle: MimeBundle): void {
    if (this.#handle === undefined) this.#handle = this.#display.display(bundle, { raw: true });
    else this.#handle.update(bundle);
  }
}
