import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { Position } from './edited-source.js';

/**
 * Where in the source a place of the generated code came from, by a source map as JSON. Without a map both are
 * the same. Asked only when an error is shown, so the map is read anew each time instead of being kept.
 */
export function mapThrough(map: string | undefined, place: Position): Position {
  if (map === undefined) return place;
  const { line, column } = originalPositionFor(new TraceMap(map), place);
  return line === null || column === null ? place : { line, column };
}
