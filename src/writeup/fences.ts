/** @file Fenced code blocks of Markdown: how one looks, and another in the same form. */

/** A fenced block; the fence is longer than any inside. @param open the fence's first line, such as "```bash" */
export function fenced(source: string, open: string): string {
  const [, given = '', info = ''] = /^(`{3,}|~{3,})?(.*)$/s.exec(open)!;
  const character = given[0] ?? '`';
  const inside = [...source.matchAll(character === '`' ? /`{3,}/g : /~{3,}/g)].map(([ticks]) => ticks.length);
  const fence = character.repeat(Math.max(given.length, 3, ...inside.map((length) => length + 1)));
  return `${fence}${info}\n${source}\n${fence}`;
}

/** How a block stands in a document. */
export interface BlockForm {
  /** What stands before the fence: the beginning of a `<details>` element. */
  readonly before: string;
  /** Before every line of it: the indentation in a list. */
  readonly indent: string;
  /** The fence's first line, such as "~~~bash". */
  readonly open: string;
  readonly after: string;
}

/** The form of a fenced block as it was written, `<details>` around it included. */
export function formOf(raw: string): BlockForm {
  const opening = /^([ \t>]*)((`{3,}|~{3,}).*)$/m.exec(raw);
  if (opening === null) return { before: '', indent: '', open: '```bash', after: '' };
  const [, indent = '', open = '', fence = ''] = opening;
  const closings = [...raw.matchAll(new RegExp(`^[ \\t>]*${fence[0]}{${fence.length},}[ \\t]*$`, 'gm'))];
  const closing = closings.findLast(({ index }) => index > opening.index);
  return {
    before: raw.slice(0, opening.index),
    indent,
    open,
    after: closing === undefined ? '' : raw.slice(closing.index + closing[0].length),
  };
}

/** Puts something in front of every line that is not empty. */
export function indented(text: string, indent: string): string {
  return indent === '' ? text : text.replace(/^(?=.)/gm, indent);
}
