/** Whether a change of code or settings changed what is predicted. */

import { compareOptions } from '../options/evaluation.js';
import type { OptionsOf } from '../options/table.js';
import { type Comparison, compareResults } from './compare.js';
import { loadResults } from './files.js';

/** Options of {@link compareFiles}. */
export type CompareOptions = OptionsOf<typeof compareOptions.table>;

/** Compares two result files attempt by attempt. @throws {UserError} when one of them is broken */
export function compareFiles(options: CompareOptions): Comparison {
  const { files, tolerance } = compareOptions.check(options);
  const [a, b] = files as [string, string];
  return compareResults(loadResults(a), loadResults(b), { tolerance });
}
