import { inspect } from 'node:util';

/** Characters of a value's text that are shown; megabytes of a nested array would slow down a browser. */
const MAX_TEXT = 200_000;
/** A text longer than this is made anew with fewer elements of each array. */
const LONG_TEXT = 20_000;
/** Elements of an array that are shown, in steps; Node's own number comes first. */
const ELEMENTS = [100, 20, 6];

/** A value as text, without colours: it stays in the file, and is read by programs that do not know them. */
export function textOf(value: unknown): string {
  let text = '';
  for (const maxArrayLength of ELEMENTS) {
    text = inspect(value, { maxStringLength: 100_000, maxArrayLength });
    if (text.length <= LONG_TEXT || typeof value === 'string') break;
  }
  if (text.length <= MAX_TEXT) return text;
  const end = text.lastIndexOf('\n', MAX_TEXT);
  const shown = text.slice(0, end > 0 ? end : MAX_TEXT);
  return `${shown}\n… ${text.length - shown.length} more characters`;
}
