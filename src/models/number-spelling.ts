/** In front of a number that is kept as text; no text of a configuration begins so. */
const NUMBER = '\u0000number ';

/**
 * A JSON object whose numbers keep their spelling: 30.0 is a float to transformers, which refuses 30 where it wants
 * one, and both are one number here.
 */
export function withNumbersAsTheyAre(text: string): Record<string, unknown> {
  const token = /"(?:\\.|[^"\\])*"|-?\d[\d.eE+-]*/g;
  const kept = (part: string) =>
    part.startsWith('"') || String(Number(part)) === part ? part : JSON.stringify(NUMBER + part);
  return JSON.parse(text.replace(token, kept)) as Record<string, unknown>;
}

/** The inverse of {@link withNumbersAsTheyAre} on a text. */
export function numbersAsTheyWere(text: string): string {
  const mark = JSON.stringify(NUMBER).slice(0, -1);
  return text
    .split(mark)
    .map((part, i) => (i === 0 ? part : part.replace('"', '')))
    .join('');
}
