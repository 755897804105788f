import { inspect } from 'node:util';
import type { Grid, Task } from '../arc/types.js';
import { type GridOptions, gridSvg } from './grid-svg.js';
import { type GeneratedCard, inlineSvg, type TaskCard } from './report-gallery.js';
import { type HtmlTableOptions, htmlTable, type TableRow, textTable } from './tables.js';
import { gridsSvg, type LayoutOptions, type PredictedInput, predictionsSvg, taskSvg } from './task-svg.js';
import { gridText, sideBySide } from './terminal.js';

/** One value in several formats, by MIME type; a notebook shows the richest that it knows. */
export type MimeBundle = Readonly<Record<string, string>>;

/** What tslab gives to its cells as `require('tslab').display`. */
interface TslabDisplay {
  raw(mimeType: string, data: string): void;
}

/** Where a kernel looks for the MIME bundle of a cell's value. */
export const JUPYTER_DISPLAY = Symbol.for('Jupyter.display');

/** Where this project's own kernel leaves its `display` for libraries. */
const KERNEL_DISPLAY: unique symbol = Symbol.for('arclab.kernel.display') as never;

/**
 * tslab's display, when this code runs in a tslab kernel. tslab hooks the `require` of its cells, not ours, so
 * its own hooked one is taken from the global that every cell is wrapped with.
 */
function tslabDisplay(): TslabDisplay | undefined {
  const host = (globalThis as { __tslab__?: { require?: (id: string) => unknown } }).__tslab__;
  if (typeof host?.require !== 'function') return undefined;
  try {
    return (host.require('tslab') as { display?: TslabDisplay }).display;
  } catch {
    return undefined;
  }
}

/** The formats a notebook prefers, richest first. */
const RICHEST_FIRST = ['text/html', 'image/svg+xml', 'text/markdown', 'text/plain'] as const;

/**
 * A value that notebooks draw. Kernels that know the `Jupyter.display` symbol ask for the MIME bundle. Stock
 * tslab only prints what a cell ends with, so there printing shows the picture; in a terminal it shows text.
 */
export class Displayable {
  readonly bundle: MimeBundle;

  constructor(bundle: MimeBundle) {
    this.bundle = bundle;
  }

  /** The MIME bundle. */
  [JUPYTER_DISPLAY](): MimeBundle {
    return this.bundle;
  }

  /** Shows it now: in the notebook where there is one, else as text on the standard output. */
  show(): void {
    const kernel = globalThis as { [KERNEL_DISPLAY]?: (value: unknown) => void };
    if (kernel[KERNEL_DISPLAY] !== undefined) kernel[KERNEL_DISPLAY](this);
    else if (!this.#showInTslab()) console.log(this.text);
  }

  /** The plain text. */
  get text(): string {
    return this.bundle['text/plain'] ?? '';
  }

  [inspect.custom](): string {
    return this.#showInTslab() ? '' : this.text;
  }

  #showInTslab(): boolean {
    const type = RICHEST_FIRST.find((name) => name in this.bundle);
    const display = type === undefined ? undefined : tslabDisplay();
    if (type === undefined || display === undefined) return false;
    display.raw(type, this.bundle[type]!);
    return true;
  }
}

/** An SVG picture with what to print where pictures cannot be shown. */
export function svgDisplay(svg: string, text = '[picture]'): Displayable {
  return new Displayable({ 'image/svg+xml': svg, 'text/plain': text });
}

/** HTML with what to print where it cannot be shown. */
export function htmlDisplay(html: string, text = '[html]'): Displayable {
  return new Displayable({ 'text/html': html, 'text/plain': text });
}

/** Markdown, such as a conclusion with numbers that a program filled in. */
export function showMarkdown(markdown: string): Displayable {
  return new Displayable({ 'text/markdown': markdown, 'text/plain': markdown });
}

/** A grid to look at in a notebook or a terminal. */
export function showGrid(grid: Grid, options: GridOptions = {}): Displayable {
  return svgDisplay(gridSvg(grid, options), gridText(grid));
}

/** A task to look at. */
export function showTask(task: Task, options: LayoutOptions = {}): Displayable {
  const pairs = [...task.train, ...task.test].map(({ input, output }) =>
    sideBySide([gridText(input), '->', output === undefined ? '?' : gridText(output)]),
  );
  return svgDisplay(taskSvg(task, options), pairs.join('\n\n'));
}

/** Several tasks below each other, each with its title, such as the same task under several augmentations. */
export function showTasks(tasks: Readonly<Record<string, Task>>, options: LayoutOptions = {}): Displayable {
  const entries = Object.entries(tasks);
  return htmlDisplay(
    entries
      .map(
        ([title, task]) =>
          `<div style="margin-bottom:18px">${inlineSvg(taskSvg(task, { ...options, title }))}</div>`,
      )
      .join(''),
    entries.map(([title, task]) => `${title}\n\n${showTask(task).text}`).join('\n\n'),
  );
}

/** What a model generated for each of several tasks, beside what it was shown. */
export function showGenerated(cards: readonly GeneratedCard[], options: LayoutOptions = {}): Displayable {
  const rows = cards.map(({ title, originals, generated, labels = [] }) => ({
    title,
    grids: [
      ...originals.map((grid) => ({ grid, label: 'original' })),
      ...generated.map((grid, i) => ({ grid, label: labels[i] ?? 'generated' })),
    ],
  }));
  return htmlDisplay(
    rows
      .map(
        ({ title, grids }) =>
          `<div style="margin-bottom:18px">${inlineSvg(gridsSvg(grids, { ...options, title }))}</div>`,
      )
      .join(''),
    rows
      .map(({ title, grids }) => `${title}\n${sideBySide(grids.map(({ grid }) => gridText(grid)))}`)
      .join('\n\n'),
  );
}

/** Cards of {@link taskCards}: each task's train samples, then its test inputs, each with solution and predictions. */
export function showTaskCards(
  cards: readonly TaskCard[],
  options: LayoutOptions & { most?: number } = {},
): Displayable {
  const parts = cards.map(({ title, task, predicted }) => {
    // the test pairs stand beside their predictions
    const train = { ...task, test: [] };
    return {
      html: [taskSvg(train, { ...options, title }), ...predicted.map((one) => predictionsSvg(one, options))],
      text: [title, showTask(train).text, ...predicted.map((one) => showPredictions(one).text)],
    };
  });
  return htmlDisplay(
    parts
      .map(({ html }) => `<div style="margin-bottom:24px">${html.map(inlineSvg).join('<br>')}</div>`)
      .join(''),
    parts.map(({ text }) => text.join('\n\n')).join('\n\n'),
  );
}

/** The predictions for a test input to look at. */
export function showPredictions(
  predicted: PredictedInput,
  options: LayoutOptions & { most?: number } = {},
): Displayable {
  const { input, solution, candidates } = predicted;
  const grids = [
    input,
    ...(solution === undefined ? [] : [solution]),
    ...candidates.slice(0, options.most ?? 4).map((c) => c.grid),
  ];
  return svgDisplay(predictionsSvg(predicted, options), sideBySide(grids.map((grid) => gridText(grid))));
}

/** A table to look at. */
export function showTable(rows: readonly TableRow[], options: HtmlTableOptions = {}): Displayable {
  return htmlDisplay(htmlTable(rows, options), textTable(rows, options));
}
