import { type MagicLine, replaceMagicLines } from '../common/magic-lines.js';
import { EditedSource, lineStarts } from './edited-source.js';

/**
 * A cell in which calls take the place of the lines that are no code, such as `!ls /tmp`.
 * @param kernel the name behind which the commands are
 * @param errorLine the line, from 1, at which the parser stops, if it does
 */
export function rewriteMagics(
  source: string,
  kernel: string,
  errorLine: (text: string) => number | undefined,
): EditedSource | undefined {
  const isExpression = (text: string) => text.trim() !== '' && errorLine(`(${text}\n)`) === undefined;
  const call = ({ name, rest }: MagicLine) => {
    if (name !== 'time')
      return `await ${kernel}.commands.run(${JSON.stringify(name)}, ${JSON.stringify(rest)});`;
    const code = rest.replace(/;\s*$/, '');
    // the time is taken before the expression is evaluated, and its value handed on
    if (isExpression(code)) return `${kernel}.commands.timed(${kernel}.commands.now(), (${code}));`;
    return `${kernel}.commands.begin();${rest};${kernel}.commands.end();`;
  };
  const replaced = replaceMagicLines(source, errorLine, call);
  if (replaced === undefined) return undefined;
  const starts = [...lineStarts(source), source.length + 1];
  const result = new EditedSource(source);
  for (let line = 0; line < starts.length - 1; line++) {
    const [start, end] = [starts[line]!, starts[line + 1]! - 1];
    const text = replaced.get(line);
    if (text === undefined) result.take(start, end);
    // an empty stretch, so that places in what is new are those of the line
    else result.mark(start).add(text);
    if (line < starts.length - 2) result.take(end, end + 1);
  }
  return result;
}
