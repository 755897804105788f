import type { MimeBundle } from '../contract.js';
import { format } from '../display/formatters.js';
import type { CellCode } from './cell-code.js';
import { lineStarts, type Position } from './edited-source.js';
import { trackedSource } from './stack.js';
import type { Stripper } from './strip.js';

/**
 * What the debugger on the transport thread asks of the main thread. It does so through the inspector, which answers
 * also while a cell computes or stands at a breakpoint; so nothing here may wait, and all is data.
 */
export interface DebugView {
  /** What the scripts of cells and local modules were made of; null for any other script. */
  sources(urls: readonly string[]): ({ name: string; source: string } | null)[];
  /**
   * Where in its TypeScript places of a script came from, null where the kernel added the code. Lines and columns
   * count from 0, as the inspector has them.
   */
  places(url: string, places: readonly ScriptPlace[]): (ScriptPlace | null)[];
  /** What V8 would run for a cell; null where it cannot be compiled. */
  draft(code: string): string | null;
  /** As `places`, of that. */
  draftPlaces(code: string, places: readonly ScriptPlace[]): (ScriptPlace | null)[];
  /** An expression in TypeScript as JavaScript; what cannot be read comes back as it is. */
  strip(expression: string): string;
  /** How a notebook shows a value. */
  bundle(value: unknown): MimeBundle;
  /** A value on its way from a frame to the variables of cells. */
  copied: unknown;
}

/** A line and a column. */
export type ScriptPlace = [line: number, column: number];

/** @param compile makes a cell ready, as the engine does */
export function createDebugView(strip: Stripper, compile: (code: string) => CellCode): DebugView {
  return {
    sources(urls) {
      return urls.map((url) => {
        const tracked = trackedSource(url);
        return tracked === undefined ? null : { name: tracked.name, source: tracked.source };
      });
    },
    places(url, places) {
      const tracked = trackedSource(url);
      if (tracked === undefined) return [...places];
      return originals(tracked.source, tracked.original, places);
    },
    draft(code) {
      try {
        return compile(code).expression;
      } catch {
        return null;
      }
    },
    draftPlaces: (code, places) => originals(code, compile(code).original, places),
    strip(expression) {
      try {
        return strip(expression, 'expression.ts').code;
      } catch {
        return expression;
      }
    },
    bundle(value) {
      const bundle = format(value);
      // a promise cannot go on while the thread is stopped
      return bundle instanceof Promise ? { 'text/plain': String(value) } : bundle;
    },
    copied: undefined,
  };
}

function originals(
  source: string,
  original: (place: Position) => Position,
  places: readonly ScriptPlace[],
): (ScriptPlace | null)[] {
  const lines = lineStarts(source).length;
  return places.map(([line, column]) => {
    const place = original({ line: line + 1, column });
    return place.isAdded || place.line > lines ? null : [place.line - 1, place.column];
  });
}
