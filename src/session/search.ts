/** Every grid that a model finds likely enough, under several views of each test input: candidates to select from. */

import type { Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { type Hooks, type NoteEvent, notesTo, type ProgressEvent } from '../common/events.js';
import type { Journal } from '../common/journal.js';
import { saveResults, taskResultsPath } from '../evaluation/files.js';
import type { Prediction } from '../evaluation/types.js';
import { digestOf } from '../generation/digest.js';
import { noProgress } from '../generation/engine.js';
import type { FoundAnswers, SearchProgress } from '../generation/search/types.js';
import type { modelOptions } from '../options/model.js';
import type { sessionSearchOptions } from '../options/search.js';
import type { ConfigOf } from '../options/table.js';
import { alone } from '../tensors/collective/alone.js';
import { CandidatePool, type FoundInView, toPool } from './candidate-pool.js';
import { identityOf } from './identity.js';
import { addProgress, computeKept, type KeptGroup, openTogether } from './kept-answers.js';
import { noteNotFinite } from './not-finite.js';
import { planWith } from './plan.js';
import type { LeftOut, PlannedPrediction } from './predictions.js';
import type { PromptSession } from './prompts.js';
import { inputKey, searchPrompts } from './search-prompts.js';
import { heardBy, onFirst, type Sharing } from './sharing.js';

/** What happens in a search. */
export type SearchEvent = NoteEvent | (ProgressEvent<'prompts'> & SearchProgress);

/** When the signal is aborted, the search ends with a {@link StoppedError}; what it has found is kept beside the result. */
export type SearchHooks = Hooks<SearchEvent>;

/** From where a search goes on at a lower threshold. It lives in memory. */
export interface SearchState {
  readonly threshold: number;
  /** What must be the same: model, adapter, prompts' kind and grammar. */
  readonly identity: string;
  /** By the digest of the prompt. */
  readonly found: ReadonlyMap<string, FoundAnswers>;
}

export interface SearchResult extends LeftOut {
  /** One for each view and grid that it found, with its log-probability there, the likeliest of a view first. */
  readonly predictions: readonly Prediction[];
  /** Answers above the threshold that are no grid. */
  readonly unparsable: number;
  /** Prompts whose search a limit has ended. */
  readonly incomplete: number;
  /** Prompts of which answers may be missing because the model's numbers were not finite. */
  readonly notFinite: number;
  readonly progress: SearchProgress | null;
  readonly state: SearchState;
}

/** What {@link searchCandidates} has to know. */
export type SearchConfig = ConfigOf<typeof sessionSearchOptions.table> &
  Pick<ConfigOf<typeof modelOptions>, 'modelPath'> & { readonly datasetPath?: string };

/** What one forward pass after the other is made for: some test inputs, first view by first view. */
type Group = readonly PlannedPrediction[];

/** Searches with a model, which is loaded when everything else is known to be right. @throws as {@link search} */
export async function searchCandidates(
  session: PromptSession,
  { tasks, before }: { tasks: ReadonlyMap<string, Task>; before?: SearchState | undefined },
  o: SearchConfig,
  { onEvent: tell, signal, ranks = alone }: SearchHooks & Sharing,
): Promise<SearchResult> {
  const onEvent = heardBy(ranks, tell);
  const onNote = notesTo(onEvent);
  const identity = searchIdentity(session, o);
  assertContinues(before, identity, o.threshold);
  const views = { ...o, predictionsPerTask: o.views, temperature: 0 };
  const { plan, prompts, maxNewTokens } = planWith(session, tasks, views, onNote);
  const groups = groupsOf(plan.predictions, o.batchSize);
  const pools = new Map(plan.predictions.map((planned) => [inputKey(planned), new CandidatePool(prompts)]));
  const found = new Map<string, FoundAnswers>();
  let progress = { ...noProgress(0), guessedTokens: 0, acceptedTokens: 0, answers: 0 } as SearchProgress;

  const decoder = await session.loadDecoder();
  const compute = async (group: number, missing: number): Promise<FoundInView[]> => {
    const planned = groups[group]!;
    const soFar = { ...progress, total: missing };
    const results = await searchPrompts(decoder, prompts, planned, {
      ...{ ...o, maxNewTokens, maxSeqLen: session.maxSeqLen },
      limits: { seconds: o.maxSeconds, tokens: o.maxForwardTokens },
      poolOf: (one) => pools.get(inputKey(one))!,
      taskOf: ({ taskId }) => tasks.get(taskId)!,
      foundBefore: ({ tokens }) => before?.found.get(digestOf(tokens!)),
      onProgress(now) {
        progress = addProgress(soFar, now);
        onEvent?.({ type: 'progress', unit: 'prompts', ...progress });
      },
      signal,
    });
    for (const [i, result] of results.entries()) found.set(digestOf(planned[i]!.tokens!), result);
    return results.map(({ frontier: _, ...kept }) => kept);
  };
  let journal: Journal<KeptGroup<FoundInView>> | undefined;
  try {
    const asked = () => groups.flat().map(({ tokens, stream }) => [digestOf(tokens!), stream]);
    const identityNow = () => identityOf('search', o, { session, dataset: tasks, prompts: asked() });
    journal = await openTogether(o.outputPath, identityNow, onNote, ranks);
    const kept = await computeKept(groups, compute, journal, { what: 'prompts', onNote, signal, ranks });
    const results = new Map(
      groups.flatMap((group, i) => group.map((one, j) => [one, kept[i]![j]!] as const)),
    );
    const all = [...results.values()];
    const failed = all.filter(({ reason }) => reason !== undefined).length;
    if (failed === all.length) journal?.finish([]);
    noteNotFinite({ failed, total: all.length, what: 'prompts' }, decoder.keptType, onNote);
    const incomplete = all.filter(({ isComplete, reason }) => !isComplete && reason === undefined).length;
    if (incomplete > 0) onNote(`${incomplete} of ${all.length} prompts were left at a limit`);
    const { predictions, unparsable } = toPool(
      plan.predictions,
      plan.predictions.map((planned) => results.get(planned)),
      prompts,
      o.threshold,
    );
    const { outputPath } = o;
    if (outputPath !== undefined) {
      await onFirst(ranks, () => saveResults(outputPath, predictions));
      journal?.finish([outputPath, taskResultsPath(outputPath)]);
    }
    return {
      ...{ predictions, unparsable, incomplete, notFinite: failed },
      ...{ shortened: plan.shortened, tooLong: plan.tooLong, withoutView: plan.withoutView },
      progress: progress.steps > 0 ? progress : null,
      state: { threshold: o.threshold, identity, found },
    };
  } finally {
    journal?.close();
    session.release(decoder);
  }
}

/** The prompts that fit, in groups that are searched together: `batchSize` test inputs with all their views. */
function groupsOf(planned: readonly PlannedPrediction[], batchSize: number): Group[] {
  const inputs = new Map<string, PlannedPrediction[]>();
  for (const one of planned) {
    if (one.tokens === null) continue;
    inputs.set(inputKey(one), [...(inputs.get(inputKey(one)) ?? []), one]);
  }
  const longest = (views: readonly PlannedPrediction[]) =>
    views.reduce((most, { tokens }) => Math.max(most, tokens!.length), 0);
  // what does not fit into the memory is found at once
  const sorted = [...inputs.values()].sort((a, b) => longest(b) - longest(a));
  const groups: Group[] = [];
  for (let start = 0; start < sorted.length; start += batchSize) {
    const some = sorted.slice(start, start + batchSize);
    const most = some.reduce((length, views) => Math.max(length, views.length), 0);
    // what one view of a test input has found is tried first in the next
    groups.push(Array.from({ length: most }, (_, view) => some.flatMap((views) => views[view] ?? [])).flat());
  }
  return groups;
}

/** What a search depends on beside its prompts and its threshold. */
function searchIdentity(session: PromptSession, o: SearchConfig): string {
  const { modelPath, constrained, maxNewTokens } = o;
  return JSON.stringify([modelPath, session.adapterIdentity(), constrained, maxNewTokens]);
}

function assertContinues(before: SearchState | undefined, identity: string, threshold: number): void {
  if (before === undefined) return;
  if (before.identity !== identity) {
    throw new UserError(
      'before: expected a search with the same model, adapter, `constrained` and `maxNewTokens`, found another',
    );
  }
  if (threshold <= before.threshold) return;
  throw new UserError(
    `\`threshold: ${threshold}\`: expected at most ${before.threshold}, where the search before this one ended`,
  );
}
