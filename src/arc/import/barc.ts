/** @file The synthetic tasks of BARC (Li et al. 2024, arXiv 2411.02272): a program for each, and samples that it made. */
import type { FromSchema } from 'json-schema-to-ts';
import { compileSchema } from '../../common/schema.js';
import type { Grid, Task } from '../types.js';
import { assertRectangular, gridSchema } from '../validate.js';

const pair = { type: 'array', minItems: 2, maxItems: 2, items: gridSchema } as const;

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

/**
 * The task of a row `{source, examples}`: its samples without a test set, so that training draws one as test sample, and
 * the program. Seeds and other fields are left out.
 * @throws {UserError} naming the place
 */
export function barcTask(value: unknown, place: string): Task {
  const { source, examples } = checkRow(value, place);
  const train = examples.map(([input, output], i) => {
    const sample = { input: input as Grid, output: output as Grid };
    assertRectangular(sample.input, place, () => `/examples/${i}/0`);
    assertRectangular(sample.output, place, () => `/examples/${i}/1`);
    return sample;
  });
  return { train, test: [], code: source };
}
