import ts from 'typescript';
import { replaceMagicLines } from '../common/magic-lines.js';

/** A cell as TypeScript's parser sees it. */
export interface ParsedCell {
  source: ts.SourceFile;
  /** What the parser did not understand, in order. */
  errors: readonly ts.DiagnosticWithLocation[];
}

/**
 * Parses a cell: as TypeScript, and only where that fails and goes better so, as TSX. Blanks take the place of lines
 * such as `!command`, where the rest is code then.
 */
export function parseCell(code: string): ParsedCell {
  const parsed = parseCode(code);
  if (parsed.errors.length === 0 || !/^[ \t]*[!%]/m.test(code)) return parsed;
  const errorLine = (text: string) => {
    const [error] = parseCode(text).errors;
    return error && text.slice(0, error.start).split('\n').length;
  };
  const blanks = replaceMagicLines(code, errorLine, ({ name, rest }, line) =>
    name === 'time' ? rest.padStart(line.length) : ' '.repeat(line.length),
  );
  if (blanks === undefined) return parsed;
  const lines = code.split('\n').map((line, i) => blanks.get(i) ?? line);
  const blanked = parseCode(lines.join('\n'));
  const isBetter = blanked.errors.length === 0 || blanked.errors[0]!.start > parsed.errors[0]!.start;
  return isBetter ? blanked : parsed;
}

function parseCode(code: string): ParsedCell {
  const asTs = parseAs(code, ts.ScriptKind.TS);
  if (asTs.errors.length === 0 || !code.includes('<')) return asTs;
  const asTsx = parseAs(code, ts.ScriptKind.TSX);
  // a cell that is being written is wrong either way: what goes further is what is meant
  const isBetter = asTsx.errors.length === 0 || asTsx.errors[0]!.start > asTs.errors[0]!.start;
  return isBetter ? asTsx : asTs;
}

/** Which of the two a parsed cell is. */
export function scriptKindOf({ source }: ParsedCell): ts.ScriptKind {
  return source.languageVariant === ts.LanguageVariant.JSX ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
}

function parseAs(code: string, kind: ts.ScriptKind): ParsedCell {
  const source = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.ESNext, false, kind);
  const { parseDiagnostics } = source as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] };
  // these stand where an element begins, and what follows them where the text has ended too soon
  const errors = parseDiagnostics.filter(({ code }) => !UNCLOSED.has(code));
  return { source, errors };
}

const UNCLOSED = new Set([
  17008, // JSX element 'b' has no corresponding closing tag.
  17014, // JSX fragment has no corresponding closing tag.
]);
