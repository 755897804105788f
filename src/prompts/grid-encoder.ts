import type { Grid } from '../arc/types.js';
import { GridEncoderError } from './errors.js';
import type { TextGrammar } from './grammar.js';
import { type GridLayout, layOut, layoutGrammar, readLayout, traceLayout } from './layout.js';
import type { TextNetwork } from './text-network.js';

/** Writes grids as text and reads them back. */
export interface GridEncoder {
  /** The expression that names it, in canonical spelling. */
  readonly expression: string;
  /** The text of a grid. */
  encode(grid: Grid): string;
  /** The grid of a text that {@link encode} could have written. @throws {GridParseError} for any other text. */
  decode(text: string): Grid;
  /** Accepts exactly the texts that {@link decode} reads. */
  readonly grammar: TextGrammar;
  /** What stands for each of the ten colours, and between the cells of a row. */
  readonly cells: Pick<GridLayout, 'symbols' | 'separator'>;
  /** Adds to a network, between two nodes, at least the texts that {@link encode} can write. */
  trace(network: TextNetwork, from: number, to: number): void;
}

/** An argument in an expression: a string, an integer, or an encoder within. */
type EncoderArgument = string | number | GridLayout;

interface EncoderDefinition {
  /** How it is called, for error messages. */
  readonly usage: string;
  /** The layout for these arguments, or undefined when they are not what the encoder takes. */
  layout(args: readonly EncoderArgument[]): GridLayout | undefined;
}

const digits: GridLayout = {
  symbols: Array.from('0123456789'),
  separator: '',
  rowNumbers: 0,
  fences: [],
};

/** Symbols without a number or an order. Each is one token of Qwen's vocabulary, and no two of them merge. */
const replacements = Array.from('ñò÷ûąćďęĚĞ');

const isLayout = (argument: EncoderArgument | undefined): argument is GridLayout =>
  typeof argument === 'object';

/** An encoder that changes the layout of the one within. */
function wrapper(name: string, change: (inner: GridLayout) => GridLayout): EncoderDefinition {
  return {
    usage: `${name}(encoder)`,
    layout: ([inner, ...rest]) => (isLayout(inner) && rest.length === 0 ? change(inner) : undefined),
  };
}

const definitions: Record<string, EncoderDefinition> = {
  MinimalGridEncoder: {
    usage: 'MinimalGridEncoder()',
    layout: (args) => (args.length === 0 ? digits : undefined),
  },
  GridWithSeparationEncoder: {
    usage: "GridWithSeparationEncoder('|')",
    layout: ([separator, ...rest]) =>
      typeof separator === 'string' && /^[^\n\r]+$/.test(separator) && rest.length === 0
        ? { ...digits, separator }
        : undefined,
  },
  RepeatNumberEncoder: {
    usage: 'RepeatNumberEncoder(times) or RepeatNumberEncoder(times, encoder) with 1 to 100 times',
    layout: ([times, inner = digits, ...rest]) =>
      typeof times === 'number' && times >= 1 && times <= 100 && isLayout(inner) && rest.length === 0
        ? { ...inner, symbols: inner.symbols.map((symbol) => symbol.repeat(times)) }
        : undefined,
  },
  ReplaceNumberEncoder: {
    usage: 'ReplaceNumberEncoder() or ReplaceNumberEncoder(encoder)',
    layout: ([inner = digits, ...rest]) =>
      isLayout(inner) && rest.length === 0
        ? {
            ...inner,
            symbols: inner.symbols.map((text) =>
              text.replace(/\d/g, (digit) => replacements[Number(digit)]!),
            ),
          }
        : undefined,
  },
  RowNumberEncoder: wrapper('RowNumberEncoder', (inner) => ({
    ...inner,
    rowNumbers: inner.rowNumbers + 1,
  })),
  GridCodeBlockEncoder: wrapper('GridCodeBlockEncoder', (inner) => ({
    ...inner,
    fences: ['grid', ...inner.fences],
  })),
  GridShapeEncoder: wrapper('GridShapeEncoder', (inner) => ({
    ...inner,
    fences: ['shape', ...inner.fences],
  })),
};

/** The names that an expression may use. */
export const gridEncoderNames: readonly string[] = Object.keys(definitions);

interface Parsed {
  readonly argument: EncoderArgument;
  readonly expression: string;
}

/** Reads `Name(argument, …)`, where an argument is an integer, a quoted string or again an encoder. */
class ExpressionParser {
  #at = 0;

  constructor(readonly text: string) {}

  fail(message: string, at = this.#at): never {
    throw new GridEncoderError(`Grid encoder ${JSON.stringify(this.text)}, position ${at + 1}: ${message}`);
  }

  /** What matches here, after spaces, or undefined. `pattern` is sticky. */
  take(pattern: RegExp): string | undefined {
    this.#at += /\s*/y.exec(this.text.slice(this.#at))?.[0].length ?? 0;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** What comes next, for an error message. */
  get found(): string {
    return this.#at < this.text.length ? JSON.stringify(this.text[this.#at]) : 'the end';
  }

  whole(): Parsed {
    const parsed = this.encoder();
    if (this.take(/$/y) === undefined) this.fail(`expected the end, found ${this.found}`);
    return parsed;
  }

  encoder(): Parsed {
    const name = this.take(/[A-Za-z_]\w*/y);
    if (name === undefined) this.fail(`expected the name of an encoder, found ${this.found}`);
    const start = this.#at - name.length;
    const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (!definition) {
      this.fail(`unknown encoder "${name}". Known encoders: ${gridEncoderNames.join(', ')}`, start);
    }
    if (!this.take(/\(/y)) this.fail(`expected "(" after ${name}, found ${this.found}`);
    const args: Parsed[] = [];
    while (!this.take(/\)/y)) {
      if (args.length > 0 && !this.take(/,/y)) this.fail(`expected "," or ")", found ${this.found}`);
      args.push(this.argument());
    }
    const list = args.map(({ expression }) => expression).join(', ');
    const layout = definition.layout(args.map(({ argument }) => argument));
    if (!layout) this.fail(`expected ${definition.usage}, found ${name}(${list})`, start);
    return { argument: layout, expression: `${name}(${list})` };
  }

  argument(): Parsed {
    const number = this.take(/-?\d+/y);
    if (number !== undefined) return { argument: Number(number), expression: String(Number(number)) };
    const string = this.take(/'[^']*'|"[^"]*"/y);
    if (string === undefined) {
      if (this.take(/(?=['"])/y) !== undefined) this.fail('the string does not end');
      return this.encoder();
    }
    const argument = string.slice(1, -1);
    return { argument, expression: argument.includes("'") ? `"${argument}"` : `'${argument}'` };
  }
}

/**
 * The encoder that an expression such as `GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))` names.
 * @throws {GridEncoderError} saying at which position of the expression what was expected.
 */
export function parseGridEncoder(expression: string): GridEncoder {
  const { argument, expression: canonical } = new ExpressionParser(expression).whole();
  const layout = argument as GridLayout;
  let grammar: TextGrammar | undefined;
  return {
    expression: canonical,
    cells: layout,
    encode: (grid) => layOut(layout, grid),
    decode: (text) => readLayout(layout, text),
    get grammar() {
      grammar ??= layoutGrammar(layout);
      return grammar;
    },
    trace: (network, from, to) => traceLayout(layout, network, from, to),
  };
}
