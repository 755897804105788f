import { randomUUID } from 'node:crypto';
import type { CellOutput, MimeBundle } from '../contract.js';
import { checkBundle, type Formatter, format, registerFormatter } from './formatters.js';
import { property } from './property.js';
import { textOf } from './text.js';

/** How a value is to be shown. */
export interface DisplayOptions {
  /** The value is a MIME bundle already: `display({ 'text/html': '<b>x</b>' }, { raw: true })`. */
  raw?: boolean;
  /** The id under which it can be shown anew; one is made up where it is missing. */
  id?: string;
  /** MIME metadata, such as an image's width. */
  metadata?: MimeBundle;
}

/** What was shown, to be replaced in place. */
export class DisplayHandle {
  readonly id: string;
  readonly #show: (value: unknown) => void;

  constructor(id: string, show: (value: unknown) => void) {
    this.id = id;
    this.#show = show;
  }

  /** Shows another value where this one stands. */
  update(value: unknown): void {
    this.#show(value);
  }
}

/** Where outputs go: to the cell that the running code belongs to. */
export type Emit = (output: CellOutput) => void;

/** The function `display`. */
export interface Display {
  (value: unknown, options?: DisplayOptions): DisplayHandle;
  /** Adds a formatter for values that no other one shows well. @returns what removes it */
  register(formatter: Formatter): () => void;
}

/** The functions that every cell finds as globals. */
export interface DisplayApi {
  display: Display;
  clearOutput(wait?: boolean): void;
}

/** Makes the functions with which a cell shows things. */
export function createDisplay(emit: Emit): DisplayApi {
  const show = (
    type: 'display_data' | 'update_display_data',
    value: unknown,
    options: DisplayOptions,
    id: string,
  ) => {
    const { raw = false, metadata = {} } = options;
    const put = (data: MimeBundle) => emit({ type, data, metadata, displayId: id });
    if (!raw && value instanceof Promise) {
      // what it gives takes its place when it is there
      if (type === 'display_data') put({ 'text/plain': 'Promise, pending' });
      value.then(
        (there) => show('update_display_data', there, options, id),
        (reason) =>
          show(
            'update_display_data',
            { 'text/plain': `Promise, rejected: ${textOf(reason)}` },
            { ...options, raw: true },
            id,
          ),
      );
      return;
    }
    const bundle = raw ? checkBundle(value) : format(value);
    if (bundle instanceof Promise) bundle.then(put);
    else put(bundle);
  };
  const follow = async (items: AsyncIterable<unknown>, options: DisplayOptions, id: string) => {
    for await (const item of items) show('update_display_data', item, options, id);
  };
  const display = (value: unknown, options: DisplayOptions = {}) => {
    const id = options.id ?? randomUUID();
    const isSeries = options.raw !== true && isAsyncSeries(value);
    show('display_data', isSeries ? WAITING : value, isSeries ? { ...options, raw: true } : options, id);
    // a failure meanwhile is an error of the cell, as everywhere
    if (isSeries) void follow(value, options, id);
    return new DisplayHandle(id, (next) => show('update_display_data', next, options, id));
  };
  return {
    display: Object.assign(display, { register: registerFormatter }),
    clearOutput(wait = false) {
      emit({ type: 'clear_output', wait });
    },
  };
}

const WAITING = { 'text/plain': '…' };

/** Whether a value gives others as time goes by. Streams do so, too, but belong to their readers. */
function isAsyncSeries(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof property(value, Symbol.asyncIterator) === 'function' &&
    typeof property(value, 'pipe') !== 'function' &&
    typeof property(value, 'getReader') !== 'function'
  );
}
