import { messageOf } from './errors.js';

/** How many of the innermost functions are reported with an error in the code. */
const FRAMES = 3;

/**
 * An error as text for another thread or process: the message, and for an error in the code, which a
 * person may have edited, its place.
 */
export function withPlace(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof TypeError || error instanceof ReferenceError)) return message;
  const places = [...(error.stack ?? '').matchAll(/^ +at (?:(.*) \()?.*?([^/()]+:\d+):\d+\)?$/gm)]
    .slice(0, FRAMES)
    .map(([, name, place]) => (name === undefined ? place : `${name} ${place}`));
  return places.length === 0 ? message : `${error.name}: ${message} (at ${places.join(', in ')})`;
}
