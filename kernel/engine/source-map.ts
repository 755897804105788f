import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { Position } from './edited-source.js';

/** The map that was asked last: errors ask once, the debugger for every place of a script. */
let last: { map: string; trace: TraceMap } | undefined;

/**
 * Where in the source a place of the generated code came from, by a source map as JSON. Without a map both are
 * the same.
 */
export function mapThrough(map: string | undefined, place: Position): Position {
  if (map === undefined) return place;
  if (last?.map !== map) last = { map, trace: new TraceMap(map) };
  const { line, column } = originalPositionFor(last.trace, place);
  // what the compiler has added in front belongs to nothing
  if (line === null || column === null) return { line: 1, column: 0, isAdded: true };
  return place.isAdded ? { line, column, isAdded: true } : { line, column };
}
