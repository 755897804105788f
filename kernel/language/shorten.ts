/** A container of a literal while it is read. */
interface Container {
  start: number;
  children: number;
  /** Where the children begin that are left out if the container turns out to be large. */
  cut: number | undefined;
}

/** Literals of fewer characters stay whole. */
const LARGE = 20_000;
/** Children of a large array and of a large object that are kept: enough to tell their types. */
const KEPT = { '[': 50, '{': 500 };

/** What data consists of: numbers, strings, keys, brackets. */
const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[+-]?(?:0[xob][\da-f_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)n?|"[^"\\\n]*(?:\\[\s\S][^"\\\n]*)*"|'[^'\\\n]*(?:\\[\s\S][^'\\\n]*)*'|`[^`\\$]*(?:(?:\\[\s\S]|\$(?!\{))[^`\\$]*)*`|(?:true|false|null|undefined|NaN|Infinity)\b|[,:[\]{}]|[a-z_$][\w$]*(?=\s*:)/iy;

/**
 * Code without most of what its large literals hold: megabytes of data tell no more about types than their beginning,
 * and take TypeScript seconds. Blanks take the place of what is left out, so that all positions stay.
 * @param cursor where code is being written: a literal around that place stays whole
 */
export function shortenLiterals(code: string, cursor = -1): string {
  if (code.length < LARGE) return code;
  const cuts: [start: number, end: number][] = [];
  const opening = /[[{]/g;
  for (let found = opening.exec(code); found !== null; found = opening.exec(code)) {
    const literal = readLiteral(code, found.index);
    if (literal === undefined) continue;
    cuts.push(...literal.cuts.filter(([start, end]) => cursor < start || cursor > end));
    opening.lastIndex = literal.end;
  }
  let result = '';
  let at = 0;
  for (const [start, end] of cuts) {
    result +=
      code.slice(at, start) + code.slice(start, end).replace(/[^\n]+/g, (line) => ' '.repeat(line.length));
    at = end;
  }
  return result + code.slice(at);
}

/** The end of the literal that begins at a bracket, and what may be left out; undefined where it is more than data. */
function readLiteral(code: string, start: number): { end: number; cuts: [number, number][] } | undefined {
  const cuts: [number, number][] = [];
  const open: Container[] = [];
  for (let at = start; ; ) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(code)?.[0];
    if (token === undefined) return undefined;
    const end = at + token.length;
    const inner = open.at(-1);
    if (token === '[' || token === '{') {
      open.push({ start: at, children: 0, cut: undefined });
    } else if (token === ']' || token === '}') {
      open.pop();
      if (inner?.cut !== undefined && end - inner.start > LARGE) {
        // what lies within goes with it
        while (cuts.length > 0 && cuts.at(-1)![0] >= inner.cut) cuts.pop();
        cuts.push([inner.cut, at]);
      }
      if (open.length === 0) return { end, cuts };
    } else if (token === ',' && inner !== undefined) {
      const kept = KEPT[code[inner.start] as '[' | '{'];
      if (++inner.children === kept) inner.cut = end;
    }
    at = end;
  }
}
