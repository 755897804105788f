import type { OptionsOf } from '../options/table.js';
import { generateTasksToFileOptions } from '../options/tasks.js';
import { saveDataset } from './dataset.js';
import { generateTasks } from './generate.js';
import { generators } from './generators/index.js';
import type { Dataset } from './types.js';

/** {@link generateTasks}, and where to write. */
export type GenerateTasksToFileOptions = OptionsOf<typeof generateTasksToFileOptions.table>;

/**
 * Makes synthetic tasks and writes them in Kaggle's format.
 * @throws {UserError} for unknown generators, knobs that nothing fits, or a file that cannot be written.
 */
export function generateTasksToFile(given: GenerateTasksToFileOptions): Dataset {
  const { outputPath, ...options } = generateTasksToFileOptions.check(given);
  const dataset = generateTasks(options);
  saveDataset(outputPath, dataset);
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
