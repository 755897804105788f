/** @file The conversations that BARC's models are trained on: grids as names of colours, and a program or a grid as answer. */
import type { FromSchema } from 'json-schema-to-ts';
import { compileSchema } from '../../common/schema.js';
import { DatasetError } from '../errors.js';
import type { Grid, Sample, Task } from '../types.js';
import { validateGrid } from '../validate.js';

const rowSchema = {
  type: 'object',
  required: ['messages'],
  properties: {
    messages: {
      type: 'array',
      minItems: 2,
      items: {
        type: 'object',
        required: ['role', 'content'],
        properties: { role: { type: 'string' }, content: { type: 'string' } },
      },
    },
  },
} as const;

const checkRow = compileSchema<FromSchema<typeof rowSchema>>(
  rowSchema,
  'a conversation ({messages: [{role, content}, ...]})',
);

/** The names of colours by number; BARC's later sets say purple and brown for what its programs call teal and maroon. */
const colors: Readonly<Record<string, number>> = {
  black: 0,
  blue: 1,
  red: 2,
  green: 3,
  yellow: 4,
  gray: 5,
  grey: 5,
  pink: 6,
  magenta: 6,
  orange: 7,
  teal: 8,
  purple: 8,
  maroon: 9,
  brown: 9,
};

/** The colour of a word, or undefined. */
const colorOf = (word: string): number | undefined =>
  /^\d$/.test(word)
    ? Number(word)
    : Object.hasOwn(colors, word.toLowerCase())
      ? colors[word.toLowerCase()]
      : undefined;

const wordsOf = (line: string): string[] => line.split(/[\s,]+/).filter(Boolean);

/** A grid that begins at a line and ends before the first that is empty or has other words; undefined where there is none. */
function gridAt(
  lines: readonly string[],
  start: number,
  place: string,
): { grid: Grid; end: number } | undefined {
  const rows: number[][] = [];
  let at = start;
  for (; at < lines.length; at++) {
    const words = wordsOf(lines[at]!);
    const row = words.map(colorOf);
    const wrong = row.indexOf(undefined);
    if (words.length === 0 || wrong === 0) break;
    if (wrong > 0) throw new DatasetError(`${place}: expected the name of a colour, found "${words[wrong]}"`);
    rows.push(row as number[]);
  }
  return rows.length === 0 ? undefined : { grid: validateGrid(rows, place), end: at };
}

/** The grids of a text, each with the label before it. */
function labelledGrids(text: string, place: string): { label: 'input' | 'output'; grid: Grid }[] {
  const lines = text.split(/\r?\n/);
  const found: { label: 'input' | 'output'; grid: Grid }[] = [];
  for (let at = 0; at < lines.length; at++) {
    const label = /^\W*(input|output)\W*$/i.exec(lines[at]!)?.[1]?.toLowerCase();
    if (label === undefined) continue;
    let start = at + 1;
    while (start < lines.length && (lines[start]!.trim() === '' || lines[start]!.startsWith('```'))) start++;
    const read = gridAt(lines, start, place);
    if (!read)
      throw new DatasetError(`${place}: expected a grid of colours after "${lines[at]}" in the user's turn`);
    found.push({ label: label as 'input' | 'output', grid: read.grid });
    at = read.end - 1;
  }
  return found;
}

/** What stands in the first block of a text, with its language. */
function firstBlock(text: string): { language: string; body: string } | undefined {
  const [, language, body] = /```(\w*)[^\n]*\n([\s\S]*?)\n?```/.exec(text) ?? [];
  return body === undefined ? undefined : { language: language!.toLowerCase(), body };
}

/** The grid that an answer is; undefined for other text. */
function answeredGrid(text: string, place: string): Grid | undefined {
  const lines = text.trim().split(/\r?\n/);
  const read = gridAt(lines, 0, place);
  return read && read.end === lines.length ? read.grid : undefined;
}

/**
 * The task of a conversation: the samples that the user shows, and what the assistant answers, which is a program in a
 * block of code (induction) or the output of the last input (transduction). A test input whose output is in no answer
 * is left out.
 * @throws {UserError} naming the place
 */
export function barcMessagesTask(value: unknown, place: string): Task {
  const { messages } = checkRow(value, place);
  const said = (role: string) => messages.filter((message) => message.role === role).at(-1)?.content;
  const [asked, answered] = [said('user'), said('assistant')];
  if (asked === undefined || answered === undefined) {
    throw new DatasetError(`${place}: expected a turn of the user and one of the assistant`);
  }
  const grids = labelledGrids(asked, place);
  const train: Sample[] = [];
  let test: Grid | undefined;
  for (const [i, { label, grid }] of grids.entries()) {
    const next = grids[i + 1];
    if (label === 'output') {
      const before = grids[i - 1];
      if (before?.label !== 'input') throw new DatasetError(`${place}: expected an input before each output`);
      train.push({ input: before.grid, output: grid });
    } else if (next?.label !== 'output') test = grid;
  }
  if (train.length === 0) {
    throw new DatasetError(
      `${place}: expected examples with "Input:" and "Output:" in the user's turn, found none`,
    );
  }
  const block = firstBlock(answered);
  const output = answeredGrid(block?.body ?? answered, place);
  if (output && test) return { train, test: [{ input: test, output }] };
  if (!block || output || !/\b(def|return|import)\b/.test(block.body)) {
    throw new DatasetError(`${place}: expected code in a block or a grid of colours from the assistant`);
  }
  return { train, test: [], code: block.body };
}
