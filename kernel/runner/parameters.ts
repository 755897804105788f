import { UserError } from '../../src/common/errors.js';
import type { NotebookDocument } from '../notebook/index.js';
import { type Declaration, declaredNames } from './declarations.js';

/** A value that a person gave for a name: `text` as it was typed, for what a number cannot hold. */
export interface Parameter {
  name: string;
  value: unknown;
  /** Whether the number is written with a point or an exponent, which Python tells apart. */
  isFloat?: boolean;
}

/**
 * A parameter from the command line, typed as papermill does: `True`, `False` and `None`, integers, floats, all else
 * is a string; and as JSON: `true`, `false`, `null`, lists, objects, strings in quotes. A number with a leading zero
 * stays a string, because it is a name (such as that of an ARC task).
 * @throws {UserError} when the name cannot be one
 */
export function parseParameter(name: string, text: string): Parameter {
  if (!/^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name)) {
    throw new UserError(`-p ${name}: expected a name that a variable can have, then its value`);
  }
  const words: Record<string, unknown> = {
    True: true,
    False: false,
    None: null,
    true: true,
    false: false,
    null: null,
  };
  if (Object.hasOwn(words, text)) return { name, value: words[text] };
  if (/^[+-]?(?:0|[1-9]\d*)$/.test(text)) {
    const value = Number(text);
    return { name, value: Number.isSafeInteger(value) ? value : BigInt(text.replace(/^\+/, '')) };
  }
  if (/^[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) {
    return { name, value: Number(text), isFloat: true };
  }
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special) {
    const value = /nan/i.test(text) ? Number.NaN : special[1] === '-' ? -Infinity : Infinity;
    return { name, value, isFloat: true };
  }
  if (/^\s*["{[]/.test(text)) {
    try {
      return { name, value: JSON.parse(text) as unknown };
    } catch {
      // a text that begins like JSON
    }
  }
  return { name, value: text };
}

const languages = {
  python: { comment: '#', assign: (p: Parameter) => `${p.name} = ${pythonValue(p.value, p.isFloat)}` },
  typescript: { comment: '//', assign: typescriptAssignment },
  javascript: {
    comment: '//',
    assign: (p: Parameter, declared?: Declaration) =>
      typescriptAssignment(p, { keyword: 'const', ...declared, type: '' }),
  },
};

/** What {@link injectParameters} did. */
export interface Injection {
  /** Index of the cell that holds the values now. */
  index: number;
  /** Whether the cell is new, so that those after it have moved by one. */
  isNew: boolean;
  /** What the person should know. */
  warnings: string[];
}

/**
 * Puts the values into a cell tagged `injected-parameters`: in place of an earlier one, else after the cell tagged
 * `parameters`, else at the top. @throws {UserError} when cells of the language cannot be written
 */
export async function injectParameters(
  document: NotebookDocument,
  parameters: readonly Parameter[],
  language: string,
): Promise<Injection> {
  if (!Object.hasOwn(languages, language)) {
    const known = Object.keys(languages).join(', ');
    throw new UserError(
      `-p: cannot write parameters in ${language || 'an unknown language'}; known are ${known}`,
    );
  }
  const { comment, assign } = languages[language as keyof typeof languages];
  const tagged = (tag: string) => document.cells.findIndex(({ tags }) => tags.includes(tag));
  const [declaring, injected] = [tagged('parameters'), tagged('injected-parameters')];
  const declared = await declaredNames(document.cells[declaring]?.source ?? '', language);
  const warnings =
    declaring < 0
      ? ['no cell is tagged "parameters": the values are at the top, and cells after it may set them again']
      : parameters
          .filter(({ name }) => !declared.has(name))
          .map(
            ({ name }) =>
              `the cell tagged "parameters" does not declare ${name}; it declares ${[...declared.keys()].join(', ') || 'nothing'}`,
          );
  const lines = parameters.map((parameter) => assign(parameter, declared.get(parameter.name)));
  // the last line ends like the others, as papermill writes it
  const source = `${comment} Parameters\n${lines.join('\n')}\n`;
  if (injected >= 0) {
    document.replaceCode(injected, source, ['injected-parameters']);
    return { index: injected, isNew: false, warnings };
  }
  document.insertCode(declaring + 1, source, ['injected-parameters']);
  return { index: declaring + 1, isNew: true, warnings };
}

/**
 * The declaration that the parameters cell has, with another value. Where it names no type, the type is `any`:
 * `const steps = 2` would have the type `2`, and stock tslab refuses a cell that compares it with another number.
 */
function typescriptAssignment({ name, value }: Parameter, declared?: Declaration): string {
  const { keyword, type } = { keyword: 'const', ...declared, type: declared?.type ?? ': any' };
  return `${keyword} ${name}${type} = ${typescriptValue(value)};`;
}

function typescriptValue(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return String(value);
  return JSON.stringify(value);
}

/** A value in Python, character for character as papermill writes it. */
function pythonValue(value: unknown, isFloat = false): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number')
    return isFloat || !Number.isInteger(value) ? pythonFloat(value) : String(value);
  if (Array.isArray(value)) return `[${value.map((item) => pythonValue(item)).join(', ')}]`;
  if (typeof value === 'object') {
    const items = Object.entries(value).map(([name, item]) => `${pythonString(name)}: ${pythonValue(item)}`);
    return `{${items.join(', ')}}`;
  }
  return pythonString(String(value));
}

/** Python's repr of a float: the same digits as ours, an exponent from 1e16 on and below 1e-4. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return `float('${Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf'}')`;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('.') ? text : `${text}.0`;
}

const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', '"': '\\"' };

function pythonString(text: string): string {
  const escaped = Array.from(text, (character) => {
    const code = character.codePointAt(0)!;
    if (short[character] !== undefined) return short[character];
    if (code >= 0x20 && code < 0x7f) return character;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${escaped.join('')}"`;
}
