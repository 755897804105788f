import type { ScriptPlace } from '../engine/debug-view.js';

/** A place where a script can stop. Lines and columns count from 0. */
export interface Breakable {
  /** In the TypeScript. */
  line: number;
  column: number;
  /** In the script that runs. */
  at: { lineNumber: number; columnNumber: number };
}

/**
 * Places of a script with those in its TypeScript that they came from (null: the kernel added the code), in the order
 * of the TypeScript: functions of a cell stand ahead of everything in its script.
 */
export function breakableFrom(
  ats: readonly Breakable['at'][],
  origins: readonly (ScriptPlace | null)[],
): Breakable[] {
  const found = ats.flatMap((at, i) => {
    const origin = origins[i];
    return origin ? [{ line: origin[0], column: origin[1], at }] : [];
  });
  return found.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Where a breakpoint at a line (and column) stops: the first place there or, if nothing can stop there, after it. */
export function breakableAt(
  places: readonly Breakable[],
  line: number,
  column?: number,
): Breakable | undefined {
  return places.find((place) => place.line > line || (place.line === line && place.column >= (column ?? 0)));
}
