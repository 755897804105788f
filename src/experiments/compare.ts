/** Whether a change of code or settings changed what is predicted. */
import { type Comparison, compareResults } from '../evaluation/compare.js';
import { loadResults } from '../evaluation/files.js';

/** Options of {@link compareFiles}. */
export interface CompareOptions {
  /** Two result files, each `inference.json` or the detailed list. */
  files: readonly [string, string];
  /** How much log-probabilities may differ, in nats (default 1e-3). */
  tolerance?: number;
}

/** Compares two result files attempt by attempt. @throws {UserError} when one of them is broken */
export function compareFiles({ files: [a, b], tolerance }: CompareOptions): Comparison {
  return compareResults(loadResults(a), loadResults(b), tolerance === undefined ? {} : { tolerance });
}
