import { loadTasks } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { withFiles } from '../common/lock.js';
import { writableFiles } from '../common/output-files.js';
import { loadPredictions } from '../evaluation/files.js';
import { scoreOptions } from '../options/inference.js';
import type { OptionsOf } from '../options/table.js';
import { type ScoreHooks, type ScoreResult, scoreCandidates, scoredKinds } from '../session/score.js';
import { openPromptsOf, type Sharing } from '../session/sharing.js';
import { alone } from '../tensors/collective/alone.js';

/** Options of {@link score}. */
export type ScoreOptions = OptionsOf<typeof scoreOptions.table>;

/**
 * Scores answers. With an `outputPath`, scores are kept in `<outputPath>.partial` as they come: a call that
 * was stopped in any way is continued by the same call.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded
 * @throws {StoppedError} when the signal is aborted
 */
export async function score(options: ScoreOptions & ScoreHooks & Sharing): Promise<ScoreResult> {
  const { onEvent, signal, ranks = alone, ...given } = options;
  const o = scoreOptions.check(given, notesTo(onEvent));
  scoredKinds(o.promptVersion, o.inputPath !== undefined);
  const tasks = loadTasks(o.datasetPath);
  const predictions = o.inputPath === undefined ? undefined : loadPredictions(o.inputPath);
  // a result file may be scored in place
  const files = writableFiles({ outputPath: o.outputPath }, [o.datasetPath]);
  const run = async (stopping: AbortSignal) =>
    scoreCandidates(await openPromptsOf(ranks, o), { tasks, predictions }, o, {
      onEvent,
      signal: stopping,
      ranks,
    });
  return withFiles(ranks.isFirst ? files : [], run, signal);
}

export type { KindScore, ScoredAnswer, ScoreEvent, ScoreHooks, ScoreResult } from '../session/score.js';
