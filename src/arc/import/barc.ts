/** @file The synthetic tasks of BARC (Li et al. 2024, arXiv 2411.02272): a program for each, and samples that it made. */
import type { FromSchema } from 'json-schema-to-ts';
import { compileSchema } from '../../common/schema.js';
import { DatasetError } from '../errors.js';
import type { Grid, Task } from '../types.js';
import { assertRectangular, gridSchema } from '../validate.js';

const MOST_SIDE = 30;

/** A grid whose sides may be too long: such an example is left out. */
const anyGrid = {
  type: 'array',
  minItems: 1,
  items: { type: 'array', minItems: 1, items: gridSchema.items.items },
} as const;
const pair = { type: 'array', minItems: 2, maxItems: 2, items: anyGrid } as const;

const rowSchema = {
  type: 'object',
  required: ['source', 'examples'],
  properties: {
    source: { type: 'string', minLength: 1 },
    examples: { type: 'array', minItems: 2, items: pair },
  },
} as const;

const checkRow = compileSchema<FromSchema<typeof rowSchema>>(
  rowSchema,
  'a row of BARC ({source, examples: [[input, output], ...]})',
);

const isOfArc = (grid: Grid): boolean =>
  grid.length <= MOST_SIDE && grid.every((row) => row.length <= MOST_SIDE);

/** What makes a task's inputs stands behind its rule, and is no part of it. */
const rule = (source: string): string => {
  const [before] = source.split(/^def generate_input\b/m);
  return before!.trim() === '' ? source : before!.trimEnd();
};

/**
 * The task of a row `{source, examples}`: its samples without a test set, so that training draws one as test sample,
 * and the program without `generate_input`. As BARC's own preparation does, examples with a side above 30 are left
 * out. Seeds and other fields are left out.
 * @throws {UserError} naming the place
 */
export function barcTask(value: unknown, place: string): Task {
  const { source, examples } = checkRow(value, place);
  const train = examples.flatMap(([input, output], i) => {
    const sample = { input: input as Grid, output: output as Grid };
    assertRectangular(sample.input, place, () => `/examples/${i}/0`);
    assertRectangular(sample.output, place, () => `/examples/${i}/1`);
    return isOfArc(sample.input) && isOfArc(sample.output) ? [sample] : [];
  });
  if (train.length < 2) {
    throw new DatasetError(
      `${place}: expected at least 2 examples with sides of at most ${MOST_SIDE}, found ${train.length}`,
    );
  }
  return { train, test: [], code: rule(source) };
}
