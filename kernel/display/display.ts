import { randomUUID } from 'node:crypto';
import type { CellOutput, MimeBundle } from '../contract.js';
import { checkBundle, toMimeBundleNow } from './bundle.js';

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

/** The functions that every cell finds as globals. */
export interface DisplayApi {
  display(value: unknown, options?: DisplayOptions): DisplayHandle;
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
    const bundle = raw ? checkBundle(value) : toMimeBundleNow(value);
    if (bundle instanceof Promise) bundle.then(put);
    else put(bundle);
  };
  return {
    display(value, options = {}) {
      const id = options.id ?? randomUUID();
      show('display_data', value, options, id);
      return new DisplayHandle(id, (next) => show('update_display_data', next, options, id));
    },
    clearOutput(wait = false) {
      emit({ type: 'clear_output', wait });
    },
  };
}
