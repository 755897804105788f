import { messageOf } from './errors.js';

/** The innermost functions that a mistake in the code is told with. */
const FRAMES = 3;

/**
 * What went wrong, to be told to another thread or process: the message, and with a mistake in the code, which a
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
