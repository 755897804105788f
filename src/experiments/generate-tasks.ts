import { saveDataset } from '../arc/dataset.js';
import { type GenerateTasksOptions, generateTasks } from '../arc/generate.js';
import { generators } from '../arc/generators/index.js';
import type { Dataset } from '../arc/types.js';

/** {@link generateTasks}, and where to write. */
export interface GenerateTasksToFileOptions extends GenerateTasksOptions {
  /** A name that ends in `challenges.json` also gets `…solutions.json` beside it, as Kaggle's files have. */
  readonly outputFilepath: string;
}

/**
 * Makes synthetic tasks and writes them in Kaggle's format.
 * @throws {UserError} for unknown generators, knobs that nothing fits, or a file that cannot be written.
 */
export function generateTasksToFile({ outputFilepath, ...options }: GenerateTasksToFileOptions): Dataset {
  const dataset = generateTasks(options);
  saveDataset(outputFilepath, dataset);
  return dataset;
}

/** What `arclab generate-tasks --list` prints: one line per generator, family after family. */
export function describeGenerators(): string {
  const all = Object.values(generators);
  const width = Math.max(...all.map(({ name }) => name.length));
  const lines = all.map(
    ({ name, family, description }) => `${family.padEnd(10)}${name.padEnd(width + 2)}${description}`,
  );
  return lines.join('\n');
}
