/** Runs that can be found again: listed, filtered and sorted by their records, and compared. */
import { UserError } from '../common/errors.js';
import { experimentsOptions } from '../options/experiments.js';
import type { OptionsOf } from '../options/table.js';
import { type FoundRun, findRuns } from '../records/find.js';
import {
  assertKnown,
  copiesOf,
  type RunValues,
  runRows,
  selectRuns,
  usualColumns,
  valuesOf,
} from '../records/values.js';
import { compareExperiments, type ExperimentComparison } from './compare-experiments.js';

/** Options of {@link experiments}. */
export type ExperimentsOptions = Partial<OptionsOf<typeof experimentsOptions.table>> & {
  /** Told of files that look like records and are none. */
  onNote?: (text: string) => void;
};

/** The runs of a folder. */
export interface ExperimentsResult {
  /** Those that were asked for, in their order. */
  readonly runs: readonly FoundRun[];
  readonly columns: readonly string[];
  /** A row for each run, for `showTable`. */
  readonly rows: Record<string, string | number | boolean | undefined>[];
  readonly comparison?: ExperimentComparison;
}

/** The run that an id, or the beginning of one, means. @throws {UserError} when there is none, or more than one */
function runOf(id: string, all: readonly RunValues[]): RunValues {
  const byPlace = all.filter(({ facts }) => facts.get('run') === id);
  const found = byPlace.length > 0 ? byPlace : all.filter(({ run }) => run.record.id.startsWith(id));
  if (found.length === 1) return found[0]!;
  const [first] = found;
  if (first && found.every(({ run }) => run.record.id === first.run.record.id)) {
    const places = found.map(({ facts }) => facts.get('run')).join(', ');
    throw new UserError(
      `\`compare\`: ${found.length} folders have the run ${first.run.record.id}, as copies have (${places}); name the one ` +
        'that is meant by its folder',
    );
  }
  const which = found.length === 0 ? 'no run has' : `${found.length} runs have`;
  throw new UserError(
    `\`compare\`: ${which} an id that begins with "${id}"; arclab experiments lists those that there are`,
  );
}

/**
 * Lists the runs below a folder: every fine-tuning, evaluation, submission and `start` has left its record there.
 * @throws {UserError} for a folder that does not exist, a condition that cannot be read, an unknown name or run
 */
export function experiments({ onNote, ...given }: ExperimentsOptions = {}): ExperimentsResult {
  const o = experimentsOptions.check(given, onNote);
  const all = valuesOf(findRuns(o.folder, onNote ? { onNote } : {}), o.folder);
  for (const [id, places] of copiesOf(all)) {
    onNote?.(`run ${id} is in ${places.length} folders, as copies are: ${places.join(', ')}`);
  }
  const chosen = selectRuns(all, o);
  for (const name of o.columns ?? []) assertKnown(name, all, 'columns');
  const columns = o.columns ?? usualColumns(chosen);
  const compared = o.compare?.map((id) => runOf(id, all));
  return {
    runs: chosen.map(({ run }) => run),
    columns,
    rows: runRows(chosen, columns),
    ...(compared === undefined ? {} : { comparison: compareExperiments(compared, all, o) }),
  };
}
