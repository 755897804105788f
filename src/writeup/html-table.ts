import { Parser } from 'htmlparser2';

/** What is met on the way through a piece of HTML. */
interface Visitor {
  opens?(name: string): void;
  closes?(name: string): void;
  /** Text that is shown, entities read; a line break is a space. */
  text(text: string): void;
}

/** Goes through HTML as it is written, with the end tags that it leaves out. */
function walk(html: string, { opens, closes, text }: Visitor): void {
  let hidden = 0;
  const isHidden = (name: string) => name === 'style' || name === 'script';
  const parser = new Parser({
    onopentagname(name) {
      if (isHidden(name)) hidden++;
      else if (name === 'br') text(' ');
      else opens?.(name);
    },
    onclosetag(name) {
      if (isHidden(name)) hidden--;
      else closes?.(name);
    },
    ontext(shown) {
      if (hidden === 0) text(shown);
    },
  });
  parser.end(html);
}

/** Text with its white space as a browser shows it. */
const asShown = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** The text of a piece of HTML. */
export function htmlText(html: string): string {
  let whole = '';
  walk(html, {
    text(text) {
      whole += text;
    },
  });
  return asShown(whole);
}

/** The tables in a piece of HTML, and the text beside them. */
function readTables(html: string): { count: number; rows: string[][]; outside: string } {
  let count = 0;
  let outside = '';
  const rows: string[][] = [];
  // those that are not closed yet, the innermost last: a cell may hold a table
  const openRows: string[][] = [];
  const openCells: { row: string[]; place: number; text: string }[] = [];
  walk(html, {
    opens(name) {
      if (name === 'table') count++;
      if (name === 'tr') {
        const row: string[] = [];
        rows.push(row);
        openRows.push(row);
      }
      const row = openRows.at(-1);
      if ((name === 'td' || name === 'th') && row) openCells.push({ row, place: row.push('') - 1, text: '' });
    },
    closes(name) {
      if (name === 'tr') openRows.pop();
      if (name !== 'td' && name !== 'th') return;
      const cell = openCells.pop();
      if (cell) cell.row[cell.place] = asShown(cell.text);
    },
    text(text) {
      const cell = openCells.at(-1);
      if (cell) cell.text += text;
      else outside += text;
    },
  });
  return { count, rows, outside: asShown(outside) };
}

/** The rows of the tables in a piece of HTML, as the texts of their cells. */
export function tableRows(html: string): string[][] {
  return readTables(html).rows;
}

/** HTML that is one table as a table of Markdown; `undefined` where it is anything else. */
export function textTableOf(html: string): string | undefined {
  const { count, rows, outside } = readTables(html);
  const [head, ...body] = rows.filter((row) => row.length > 0);
  if (count !== 1 || outside !== '' || head === undefined) return undefined;
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}
