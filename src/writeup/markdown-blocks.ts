/** @file Cuts a Markdown document at its fenced blocks of bash and TypeScript. */
import MarkdownIt from 'markdown-it';

/** A part of a document; the `raw` texts of all parts, one after the other, are the document. */
export type Segment =
  | { readonly type: 'text'; readonly raw: string }
  | {
      readonly type: 'shell' | 'typescript';
      /** With its fences, and with the `<details>` element that holds nothing else. */
      readonly raw: string;
      /** What is between the fences. */
      readonly source: string;
      /** Words after the language: ```ts parameters. */
      readonly tags: readonly string[];
      /** True where the block is folded away in a `<details>` element of its own. */
      readonly folded: boolean;
    };

const SHELL = /^(bash|sh|shell|zsh|console|terminal|(shell|sh|bash)-?session|shellscript)$/i;
const TYPESCRIPT = /^(ts|typescript)$/i;
const DETAILS_START = /<details[^>]*>\s*(?:<summary>(?:(?!<\/summary>)[\s\S])*<\/summary>)?\s*$/;
const DETAILS_END = /^\s*<\/details>/;

/** The language of a fence's info string: `bash title="a.sh"`, `{.bash .numberLines}`, `bash{1,2}`. */
function languageOf(info: string): string {
  return /^\s*\{?\s*\.?([\w-]+)/.exec(info)?.[1] ?? '';
}

/** Cuts a document, with `\n` at the ends of its lines, into text and the blocks that become cells. */
export function segmentsOf(markdown: string): Segment[] {
  const starts = [0];
  for (const { index } of markdown.matchAll(/\n/g)) starts.push(index + 1);
  const segments: Segment[] = [];
  let next = 0;
  for (const token of new MarkdownIt({ html: true }).parse(markdown, {})) {
    const language = languageOf(token.info);
    const type = SHELL.test(language) ? 'shell' : TYPESCRIPT.test(language) ? 'typescript' : undefined;
    if (token.type !== 'fence' || token.map === null || type === undefined) continue;
    const [first, after] = token.map;
    let start = starts[first]!;
    // without the line's end
    let end = after < starts.length ? starts[after]! - 1 : markdown.length;
    const opening = DETAILS_START.exec(markdown.slice(next, start));
    const closing = DETAILS_END.exec(markdown.slice(end));
    const folded = opening !== null && closing !== null;
    if (folded) {
      start = next + opening.index;
      end += closing[0].length;
    }
    const tags = token.info.trim().split(/\s+/).slice(1);
    segments.push({ type: 'text', raw: markdown.slice(next, start) });
    segments.push({
      type,
      raw: markdown.slice(start, end),
      source: token.content.replace(/\n$/, ''),
      tags: tags.filter((tag) => /^[\w-]+$/.test(tag)),
      folded,
    });
    next = end;
  }
  segments.push({ type: 'text', raw: markdown.slice(next) });
  return segments;
}
