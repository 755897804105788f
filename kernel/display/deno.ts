import { randomUUID } from 'node:crypto';
import type { MimeBundle } from '../contract.js';
import type { DisplayApi, DisplayHandle } from './display.js';
import { JUPYTER_DISPLAY } from './formatters.js';
import { image, type MarkupTag, tags } from './tags.js';

/** Deno's options of `display`. */
interface DenoDisplayOptions {
  raw?: boolean;
  /** Shows the value where the one with the same `display_id` stands. */
  update?: boolean;
  display_id?: string;
}

/** `Deno.jupyter`, so that notebooks made for Deno's kernel run unchanged. */
export interface DenoJupyter {
  readonly $display: symbol;
  /** To be awaited or not. */
  display(value: unknown, options?: DenoDisplayOptions): DisplayHandle;
  readonly html: MarkupTag;
  readonly md: MarkupTag;
  readonly svg: MarkupTag;
  image(source: string | Uint8Array): { [JUPYTER_DISPLAY](): MimeBundle };
}

/** What the name `Deno` means in a cell. It is not a global: libraries would take this for Deno. */
export function createDeno({ display }: DisplayApi): { readonly jupyter: DenoJupyter } {
  const shown = new Map<string, DisplayHandle>();
  const jupyter: DenoJupyter = {
    $display: JUPYTER_DISPLAY,
    display(value, { raw, update = false, display_id: id = randomUUID() } = {}) {
      const before = update ? shown.get(id) : undefined;
      before?.update(value);
      const handle = before ?? display(value, { raw, id });
      shown.set(id, handle);
      return handle;
    },
    ...tags,
    image,
  };
  return new Proxy(
    { jupyter },
    {
      get(target, name) {
        if (name in target || typeof name === 'symbol') return target[name as 'jupyter'];
        throw new TypeError(
          `Deno.${name} is not there: this is Node ${process.version}, which has Deno.jupyter only`,
        );
      },
    },
  );
}
