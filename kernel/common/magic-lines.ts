/**
 * Lines of a cell that are no code: `!command`, and `%name …` as in IPython. Whatever can be TypeScript is TypeScript,
 * so a line is taken for one only where the parser stops at it.
 */

/** A line as `!command` or `%name rest`. */
export interface MagicLine {
  indent: string;
  /** `sh` for a command. */
  name: string;
  rest: string;
}

const MAGIC = /^([ \t]*)(?:!|%(\w+)[ \t]*)(.*)$/;

function parseMagic(line: string): MagicLine | undefined {
  const match = MAGIC.exec(line);
  if (match === null) return undefined;
  const [, indent = '', name = 'sh', rest = ''] = match;
  return name === 'sh' && rest.trim() === '' ? undefined : { indent, name, rest: rest.trimEnd() };
}

/**
 * What takes the place of the lines of a cell that are no code, by number from 0; undefined where there are none. What
 * is left may have an error of its own.
 * @param errorLine the line, from 1, at which the parser stops, if it does
 * @param replace what takes the place of such a line; of the same number of lines, one
 */
export function replaceMagicLines(
  source: string,
  errorLine: (text: string) => number | undefined,
  replace: (magic: MagicLine, line: string) => string,
): ReadonlyMap<number, string> | undefined {
  const lines = source.split('\n');
  if (!lines.some((line) => parseMagic(line) !== undefined)) return undefined;
  const replaced = new Map<number, string>();
  for (;;) {
    const error = errorLine(lines.join('\n'));
    if (error === undefined) return replaced;
    let at = Math.min(error, lines.length) - 1;
    // the parser may have gone on for a while
    while (at >= 0 && (replaced.has(at) || parseMagic(lines[at]!) === undefined)) at--;
    if (at < 0) return replaced.size > 0 ? replaced : undefined;
    lines[at] = replace(parseMagic(lines[at]!)!, lines[at]!);
    replaced.set(at, lines[at]!);
  }
}
