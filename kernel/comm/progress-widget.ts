import type { DisplayApi } from '../display/display.js';
import { type BarState, type BarView, barBundle, OutputBar } from '../display/progress-view.js';
import { escapeHtml } from '../display/table.js';
import type { WidgetApi } from './api.js';
import type { Widget } from './widget.js';

/**
 * A progress bar that is a widget while it moves, so that its output is not replaced all the time. When it has reached
 * its end it becomes an output like any other: a notebook that is opened again has no widgets.
 */
export class WidgetBar implements BarView {
  readonly #output: OutputBar;
  readonly #widget: WidgetApi['widget'];
  #parts: { bar: Widget; words: Widget; box: Widget } | undefined;
  #isOver = false;
  /** What the output says where there are no widgets. */
  #kept = '';

  constructor(display: DisplayApi, { widget }: WidgetApi) {
    this.#output = new OutputBar(display);
    this.#widget = widget;
  }

  draw(state: BarState): void {
    if (this.#isOver) {
      this.#output.draw(state);
      return;
    }
    if (this.#parts === undefined) {
      const bar = this.#widget.progress({ max: 1, description: state.label, ...barValue(state) });
      const words = this.#widget.html({ value: barWords(state) });
      this.#parts = { bar, words, box: this.#widget.hbox([bar, words]) };
      this.#show(state);
      return;
    }
    this.#parts.bar.set(barValue(state));
    this.#parts.words.set({ value: barWords(state) });
  }

  settle(state: BarState, isOver: boolean): void {
    if (this.#isOver || this.#parts === undefined) return;
    this.#isOver = isOver || !this.#parts.box.isOpen;
    if (this.#isOver) this.#output.draw(state);
    else this.#show(state);
    if (!this.#isOver) return;
    for (const widget of Object.values(this.#parts)) widget.close();
    this.#parts = undefined;
  }

  #show(state: BarState): void {
    const bundle = barBundle(state);
    const text = String(bundle['text/plain']);
    if (text === this.#kept) return;
    this.#kept = text;
    this.#output.show({ ...this.#parts!.box.view(), ...bundle });
  }
}

/** Where the total is not known, the bar is full and blue, as tqdm has it. */
function barValue({ share }: BarState) {
  return { value: share ?? 1, barStyle: share === undefined ? 'info' : share === 1 ? 'success' : '' };
}

function barWords({ numbers, note }: BarState): string {
  return `<code>${escapeHtml([numbers, note].filter(Boolean).join(' '))}</code>`;
}
