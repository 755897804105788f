import type { FromSchema } from 'json-schema-to-ts';
import { compileSchema } from '../common/schema.js';
import { DatasetError } from './errors.js';
import type { Grid } from './types.js';

/** JSON Schema of a grid; that its rows are equally long is checked by {@link assertRectangular}. */
export const gridSchema = {
  type: 'array',
  minItems: 1,
  maxItems: 30,
  items: {
    type: 'array',
    minItems: 1,
    maxItems: 30,
    items: { type: 'integer', minimum: 0, maximum: 9 },
  },
} as const;

const candidates = { type: 'array', items: gridSchema } as const;

const sampleSchema = {
  type: 'object',
  required: ['input', 'output'],
  properties: { input: gridSchema, output: gridSchema, candidates },
} as const;

const taskSchema = {
  type: 'object',
  required: ['train'],
  properties: {
    train: { type: 'array', minItems: 1, items: sampleSchema },
    test: {
      type: 'array',
      items: {
        type: 'object',
        required: ['input'],
        properties: { input: gridSchema, output: gridSchema, candidates },
      },
    },
    code: { type: 'string', minLength: 1 },
  },
} as const;

// `if` rather than `anyOf`: an error is then about the shape that the entry has
const entrySchema = {
  if: { type: 'array' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    minItems: 1,
    if: { items: [{ required: ['train'] }] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { items: taskSchema },
    // one of the samples becomes the test sample, so one alone shows nothing
    else: { allOf: [{ items: sampleSchema }, { minItems: 2 }] },
  },
  else: taskSchema,
};

/** A task as Kaggle's files have it, and what ours may have beside it. */
export type KaggleTask = FromSchema<typeof taskSchema>;

/** What stands for one id: a task, variants of a task, or samples without a test set (RE-ARC). */
export type DatasetEntry = KaggleTask | KaggleTask[] | FromSchema<typeof sampleSchema>[];

/** Checks a whole data set file, all but the rectangles. */
export const validateDataset = compileSchema<Record<string, DatasetEntry>>(
  { type: 'object', minProperties: 1, additionalProperties: entrySchema },
  'an ARC data set ({id: {train, test}}, {id: [samples]} or {id: [tasks]})',
);

/** Checks a solutions file, all but the rectangles. */
export const validateSolutions = compileSchema<Record<string, Grid[]>>(
  { type: 'object', additionalProperties: { type: 'array', items: gridSchema } },
  'a file of ARC solutions ({id: [grid per test input]})',
);

const validateGridShape = compileSchema<Grid>(gridSchema, 'a grid (1 to 30 rows of 1 to 30 colours, 0 to 9)');

/**
 * @throws {DatasetError} naming the file, the path in it, and the two rows whose lengths differ. `path` is
 * a function because it is only needed for the message.
 */
export function assertRectangular(grid: Grid, source: string, path: () => string): void {
  const width = grid[0]!.length;
  for (let r = 1; r < grid.length; r++) {
    if (grid[r]!.length === width) continue;
    throw new DatasetError(
      `${source}: ragged grid at ${path()}: row 0 has ${width} cells but row ${r} has ${grid[r]!.length}; ` +
        'all rows of a grid must be equally long',
    );
  }
}

/** Checks that any value is a grid. @throws {UserError} naming the source, what was found and expected. */
export function validateGrid(value: unknown, source: string): Grid {
  const grid = validateGridShape(value, source);
  assertRectangular(grid, source, () => 'the top level');
  return grid;
}
