import type { BarState, BarView } from './progress-view.js';

/** How a progress bar is labelled. */
export interface ProgressOptions {
  /** What is done, in front of the bar. */
  label?: string;
  /** How many steps there are; taken from an array or a set where it is missing. */
  total?: number;
}

/** A progress bar that is moved by hand. */
export interface ProgressBar {
  /** Moves by a number of steps, and shows `note` behind the bar. */
  advance(steps?: number, note?: string): void;
  /** Moves to a step. */
  set(step: number, note?: string): void;
}

/** The function `progress` of every cell. */
export interface Progress {
  /** Goes through something while a bar shows how far: `for (const task of progress(tasks)) …`. */
  <T>(items: Iterable<T>, options?: ProgressOptions): Iterable<T>;
  <T>(items: AsyncIterable<T>, options?: ProgressOptions): AsyncIterable<T>;
  /** A bar of that many steps. */
  (total: number, options?: ProgressOptions): ProgressBar;
}

/** How often a bar is drawn anew at most, in ms. */
const INTERVAL_MS = 100;

/** Bars that have moved since they were drawn, and since a cell ended. */
const moved = new Set<Bar>();
const unsettled = new Set<Bar>();

/** Draws what has moved: a cell that ends does not leave a bar at an earlier step. */
export function drawProgress(): void {
  for (const bar of moved) bar.draw();
  for (const bar of unsettled) bar.settle();
}

class Bar implements ProgressBar {
  readonly #view: BarView;
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #began = performance.now();
  #step = 0;
  #note = '';
  #drawn = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(view: BarView, total: number | undefined, label: string) {
    this.#view = view;
    this.#total = total;
    this.#label = label;
    this.draw();
  }

  advance(steps = 1, note = this.#note): void {
    this.set(this.#step + steps, note);
  }

  set(step: number, note = this.#note): void {
    this.#step = step;
    this.#note = note;
    const wait = this.#drawn + INTERVAL_MS - performance.now();
    moved.add(this);
    if (step === this.#total || wait <= 0) this.draw();
    // the next step may be long in coming
    else this.#timer ??= setTimeout(() => this.draw(), wait);
  }

  draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    moved.delete(this);
    this.#drawn = performance.now();
    unsettled.add(this);
    this.#view.draw(this.#state);
    if (this.#share === 1) this.settle();
  }

  /** Shows what is to stay. */
  settle(isOver = this.#share === 1): void {
    unsettled.delete(this);
    this.#view.settle(this.#state, isOver);
  }

  get #state(): BarState {
    return { label: this.#label, share: this.#share, numbers: this.#numbers(), note: this.#note };
  }

  get #share(): number | undefined {
    return this.#total === undefined
      ? undefined
      : this.#total === 0
        ? 1
        : Math.min(1, this.#step / this.#total);
  }

  /** `12/40 30% 0:05 < 0:12` */
  #numbers(): string {
    const seconds = (performance.now() - this.#began) / 1000;
    const share = this.#share;
    if (share === undefined) return `${this.#step} ${clock(seconds)}`;
    const left = share > 0 && share < 1 ? ` < ${clock(seconds / share - seconds)}` : '';
    return `${this.#step}/${this.#total} ${Math.floor(100 * share)}% ${clock(seconds)}${left}`;
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Makes the function `progress` of a kernel. @param makeView gives each bar its appearance */
export function createProgress(makeView: () => BarView): Progress {
  const progress = (
    what: number | Iterable<unknown> | AsyncIterable<unknown>,
    { label = '', total }: ProgressOptions = {},
  ) => {
    if (typeof what === 'number') return new Bar(makeView(), what, label);
    const known = total ?? sizeOf(what);
    return Symbol.asyncIterator in what
      ? followAsync(what, () => new Bar(makeView(), known, label))
      : follow(what, () => new Bar(makeView(), known, label));
  };
  return progress as Progress;
}

function sizeOf(items: object): number | undefined {
  const { length, size } = items as { length?: unknown; size?: unknown };
  return typeof length === 'number' ? length : typeof size === 'number' ? size : undefined;
}

function* follow<T>(items: Iterable<T>, makeBar: () => Bar): Iterable<T> {
  const bar = makeBar();
  try {
    for (const item of items) {
      yield item;
      bar.advance();
    }
  } finally {
    bar.draw();
    bar.settle(true);
  }
}

async function* followAsync<T>(items: AsyncIterable<T>, makeBar: () => Bar): AsyncIterable<T> {
  const bar = makeBar();
  try {
    for await (const item of items) {
      yield item;
      bar.advance();
    }
  } finally {
    bar.draw();
    bar.settle(true);
  }
}
