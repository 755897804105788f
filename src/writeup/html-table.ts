const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  amp: '&',
};

/** The text of a piece of HTML: tags gone, entities read, white space as a browser shows it. */
export function htmlText(html: string): string {
  return html
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, '')
    .replace(/<br\s*\/?>/gi, ' ')
    .replace(/<[^>]*>/g, '')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(\w+);/g, (entity, name: string) => ENTITIES[name] ?? entity)
    .replace(/\s+/g, ' ')
    .trim();
}

/** The rows of the tables in a piece of HTML, as the texts of their cells. */
export function tableRows(html: string): string[][] {
  return [...html.matchAll(/<tr\b[^>]*>([\s\S]*?)(?=<\/tr>|<tr\b|<\/table>)/gi)].map(([, row]) =>
    [...row!.matchAll(/<t[hd]\b[^>]*>([\s\S]*?)(?=<\/t[hd]>|<t[hd]\b|$)/gi)].map(([, cell]) =>
      htmlText(cell!),
    ),
  );
}

/** HTML that is one table as a table of Markdown; `undefined` where it is anything else. */
export function textTableOf(html: string): string | undefined {
  if ([...html.matchAll(/<table\b/gi)].length !== 1) return undefined;
  const outside = htmlText(html.replace(/<table\b[\s\S]*<\/table>/i, ''));
  const [head, ...body] = tableRows(html).filter((row) => row.length > 0);
  if (outside !== '' || head === undefined) return undefined;
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}
