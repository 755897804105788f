/** A search for likely answers on a data set: check the options, open the model, search, give the model back. */
import { firstTasks, type OrTasks, tasksOf } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { outputFile, withLock } from '../common/lock.js';
import { writableFiles } from '../common/output-files.js';
import { taskResultsPath } from '../evaluation/files.js';
import { splitValues } from '../options/in-place.js';
import { searchOptions } from '../options/search.js';
import type { OptionsOf } from '../options/table.js';
import { promptKindFor } from '../session/prompts.js';
import { type SearchHooks, type SearchResult, searchCandidates } from '../session/search.js';
import { lockingOf, openPromptsOf, type Sharing } from '../session/sharing.js';
import { alone } from '../tensors/collective/alone.js';

/** Options of {@link search}. */
export type SearchFlowOptions = OrTasks<OptionsOf<typeof searchOptions.table>>;

/**
 * Finds, for every test input of a data set and under each of its views, all grids whose probability is at least
 * `threshold`, and writes them to `outputPath` and beside it as `infer` does. What is found is kept in
 * `<outputPath>.partial` as it comes: a call that was stopped in any way is continued by the same call.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 * @throws {StoppedError} when the signal is aborted
 */
export async function search(options: SearchFlowOptions & SearchHooks & Sharing): Promise<SearchResult> {
  const { onEvent, signal, ranks = alone, ...rest } = options;
  const { given, values } = splitValues(rest, { datasetPath: 'tasks' });
  const o = searchOptions.check(given, notesTo(onEvent));
  promptKindFor(o.promptVersion, ['output-from-examples'], 'search');
  const tasks = firstTasks(tasksOf(values.datasetPath ?? o.datasetPath), o.nTasks);
  for (const outputPath of [o.outputPath, taskResultsPath(o.outputPath)])
    writableFiles({ outputPath }, [o.datasetPath]);
  return lockingOf(ranks, withLock)(
    outputFile(o.outputPath),
    async (stopping) =>
      searchCandidates(await openPromptsOf(ranks, o), { tasks }, o, { onEvent, signal: stopping, ranks }),
    signal,
  );
}

export type { SearchEvent, SearchHooks, SearchResult, SearchState } from '../session/search.js';
