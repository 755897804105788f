/**
 * @file Conditions on runs, such as `loraR >= 64 and (optim = adamw or not seed > 0)`: comparisons of a name with a
 * number, a word or a quoted text, joined by `and`, `or`, `not` and brackets. Read by a parser of our own, so that
 * nothing is evaluated.
 *
 * condition = all { "or" all } ; all = one { "and" one } ; one = "not" one | "(" condition ")" | comparison
 */
import { UserError } from '../common/errors.js';

/** What a run has under a name. */
export type RunValue = string | number | boolean;

/** Whether a run fulfils a condition, given what it has under a name; undefined where it has nothing. */
export type Condition = (lookup: (name: string) => RunValue | undefined) => boolean;

/** A condition, and the names that stand in it. */
export interface Where {
  readonly condition: Condition;
  readonly names: readonly string[];
}

const COMPARISONS: Readonly<Record<string, (a: RunValue, b: RunValue) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => typeof a === typeof b && a < b,
  '<=': (a, b) => typeof a === typeof b && a <= b,
  '>': (a, b) => typeof a === typeof b && a > b,
  '>=': (a, b) => typeof a === typeof b && a >= b,
  '~': (a, b) => String(a).includes(String(b)),
};

const TOKEN = /\s*(?:("[^"]*"|'[^']*')|(==|!=|<=|>=|&&|\|\||[=<>~()!])|([^\s"'=<>~()!&|]+))/y;

interface Token {
  readonly kind: 'text' | 'sign' | 'word' | 'end';
  readonly text: string;
  /** In the condition, from 0. */
  readonly at: number;
}

/** Signs and words that mean the same. */
const SAME: Readonly<Record<string, string>> = { '&&': 'and', '||': 'or', '!': 'not' };

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  for (;;) {
    const at = pattern.lastIndex;
    const match = pattern.exec(source);
    if (match === null) {
      if (source.slice(at).trim() !== '')
        throw mistake(source, 'a name, a value or a sign', source.slice(at));
      return [...tokens, { kind: 'end', text: '', at: source.length }];
    }
    const [, quoted, sign, word] = match;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.slice(1, -1), at });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: SAME[sign] ?? sign, at });
    else tokens.push({ kind: 'word', text: word!, at });
  }
}

function mistake(source: string, expected: string, found: string): UserError {
  const shown = found.trim() === '' ? 'its end' : JSON.stringify(found.trim());
  return new UserError(
    `\`where\`: ${JSON.stringify(source)}: expected ${expected}, found ${shown}; a condition is such as "loraR >= 64 and status = done"`,
  );
}

/** What a word of a condition stands for: a number, true, false, or itself. */
function literalOf(word: string): RunValue {
  if (word === 'true' || word === 'false') return word === 'true';
  const number = Number(word);
  return Number.isNaN(number) ? word : number;
}

/** Reads a condition. @throws {UserError} that says what was expected where */
export function parseWhere(source: string): Where {
  const tokens = tokensOf(source);
  const names: string[] = [];
  let next = 0;
  const is = (text: string) => tokens[next]!.text === text && tokens[next]!.kind !== 'text';
  const take = (text: string) => is(text) && next++ >= 0;
  const fail = (expected: string) => mistake(source, expected, source.slice(tokens[next]!.at));

  const any = (): Condition => {
    const parts = [all()];
    while (take('or')) parts.push(all());
    return parts.length === 1 ? parts[0]! : (of) => parts.some((part) => part(of));
  };
  const all = (): Condition => {
    const parts = [one()];
    while (take('and')) parts.push(one());
    return parts.length === 1 ? parts[0]! : (of) => parts.every((part) => part(of));
  };
  const one = (): Condition => {
    if (take('not')) {
      const part = one();
      return (of) => !part(of);
    }
    if (take('(')) {
      const part = any();
      if (!take(')')) throw fail('")"');
      return part;
    }
    return comparison();
  };
  const comparison = (): Condition => {
    const name = tokens[next]!;
    if (name.kind !== 'word') throw fail('the name of an option or a result');
    next++;
    const sign = tokens[next]!;
    const compare = sign.kind === 'sign' ? COMPARISONS[sign.text] : undefined;
    if (compare === undefined) throw fail('one of = != < <= > >= ~');
    next++;
    const value = tokens[next]!;
    if (value.kind !== 'text' && value.kind !== 'word') throw fail('a value');
    next++;
    names.push(name.text);
    const isEquality = ['=', '==', '!='].includes(sign.text);
    return (of) => {
      const found = of(name.text);
      if (found === undefined) return sign.text === '!=';
      // an id may have digits alone
      const isText = value.kind === 'text' || (isEquality && typeof found === 'string');
      return compare(found, isText ? value.text : literalOf(value.text));
    };
  };

  const condition = any();
  if (tokens[next]!.kind !== 'end') throw fail('"and" or "or"');
  return { condition, names };
}
