/**
 * How likely does a model find an answer? Scores the solutions of a data set, per task and per prompt kind, or
 * the predictions of a result file again under several augmentations, so that they can be voted on by that.
 */
import { datasetOf, requireCode } from '../arc/dataset.js';
import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { StoppedError, UserError } from '../common/errors.js';
import { type Hooks, type NoteEvent, notesTo, type ProgressEvent } from '../common/events.js';
import { writeFileAtomic } from '../common/files.js';
import type { Journal } from '../common/journal.js';
import { mean } from '../evaluation/metrics.js';
import { withScores } from '../evaluation/scores.js';
import type { Prediction } from '../evaluation/types.js';
import { groupPredictions } from '../evaluation/voting.js';
import { digestOf } from '../generation/digest.js';

import { type AnswerScore, scoreAnswers, scoringGroups } from '../generation/scoring.js';
import { groupsOfOthers } from '../generation/shared-scoring.js';
import type { sessionScoreOptions } from '../options/inference.js';
import type { ConfigOf } from '../options/table.js';
import { asksForGrid, getPromptKind, hasCode, type PromptKind } from '../prompts/index.js';
import { candidatesOf } from '../prompts/prompt-tasks.js';
import { alone } from '../tensors/collective/alone.js';
import {
  type CandidateScores,
  type CandidateSet,
  planScores,
  type ScorePlan,
  scoredGrids,
  scoresOfSets,
} from './candidate-scores.js';
import { planChoices, scoresOfChoices } from './choices.js';
import { identityOf } from './identity.js';
import { openTogether, stopped } from './kept-answers.js';
import { noteNotFinite } from './not-finite.js';
import { type PromptSession, promptKindFor } from './prompts.js';
import { heardBy, onFirst, type Sharing } from './sharing.js';

/** The score of one answer: means over the augmentations. */
export interface ScoredAnswer {
  readonly taskId: string;
  readonly testIndex: number;
  /** In nats; null when no prompt fits, or the model's numbers are not finite. */
  readonly logProb: number | null;
  /** Under each augmentation, in their order; null as above. */
  readonly scores: readonly (number | null)[];
  /** Tokens of the answer. */
  readonly tokens: number;
  /** Augmentations that have a score. */
  readonly augmentations: number;
}

/** The scores of one prompt kind. */
export interface KindScore {
  readonly kind: string;
  readonly answers: readonly ScoredAnswer[];
  /** Mean log-probability of an answer, and of a token: the second is minus a validation loss. */
  readonly perAnswer: number;
  readonly perToken: number;
  /** Prompts that do not fit, over all augmentations. */
  readonly tooLong: number;
  /** Augmentations fewer than asked for, over all answers, because their tasks have no more that differ. */
  readonly withoutView: number;
  /** Prompts without a score because the model's numbers were not finite. */
  readonly notFinite: number;
}

export interface ScoreResult {
  readonly kinds: readonly KindScore[];
  /** What probabilities are normalised over: all tokens that the model has, or those that the grid encoder can read. */
  readonly normalisedOver: 'all tokens' | 'allowed tokens';
  /** Scored again, when predictions were given: `logProb` is the mean of `scores`, those under each augmentation. */
  readonly predictions?: readonly Prediction[];
}

/** What happens while answers are scored. */
export type ScoreEvent = NoteEvent | ProgressEvent<'answers'>;

/** When the signal is aborted, scoring ends with a {@link StoppedError}; the scores so far are kept beside the result. */
export type ScoreHooks = Hooks<ScoreEvent>;

/** A line of the journal: the scores of a group of requests. */
interface ScoredGroup {
  readonly kind: string;
  readonly group: number;
  /** The log-probabilities of each request's answers; null where one is not finite. */
  readonly scores: readonly (readonly (number | null)[])[];
}

/** What says how good a prediction is: how likely it is as an answer, or a judgement of it. */
const judging = [
  'output-from-examples',
  'output-from-code',
  'verify-output-from-examples',
  'select-output-from-examples',
] as const;

/** The prompt kinds to score with. @throws {UserError} when predictions are to be scored with what predicts nothing */
export function scoredKinds(names: string | readonly string[], ofPredictions: boolean): PromptKind[] {
  const kinds = [names].flat().map((name) => getPromptKind(name));
  if (!ofPredictions) {
    const other = kinds.find(({ task }) => !asksForGrid(task));
    if (!other) return kinds;
    const instead = candidatesOf(other.task)
      ? 'give predictions to judge with `inputPath`'
      : 'use another kind';
    throw new UserError(
      `\`promptVersion: ${other.name}\` asks for no grid; solutions are scored with kinds that do; ${instead}`,
    );
  }
  if (kinds.length > 1) throw new UserError('`promptVersion`: predictions are scored with one prompt kind');
  promptKindFor(kinds[0]!.name, judging, 'scoring of predictions');
  return kinds;
}

/** What {@link scoreCandidates} has to know. */
export type ScoreConfig = ConfigOf<typeof sessionScoreOptions.table> & {
  readonly datasetPath?: string;
  readonly inputPath?: string;
};

/** Scores the solutions of tasks, or predictions for them, with a model. @throws as {@link score} */
export async function scoreCandidates(
  session: PromptSession,
  {
    tasks,
    predictions,
  }: { tasks: ReadonlyMap<string, Task>; predictions?: readonly Prediction[] | undefined },
  o: ScoreConfig,
  { onEvent: tell, signal, ranks = alone }: ScoreHooks & Sharing,
): Promise<ScoreResult> {
  const onEvent = heardBy(ranks, tell);
  const onNote = notesTo(onEvent);
  const kinds = scoredKinds(o.promptVersion, predictions !== undefined);
  const source = o.datasetPath ?? 'the tasks';
  const sets = kinds.map((kind) =>
    predictions ? predicted(tasks, predictions, source) : solutions(tasks, kind, source),
  );
  if (sets[0]!.length === 0) {
    throw new UserError(`${o.inputPath ?? 'predictions'}: expected predicted grids to score, found none`);
  }
  for (const note of session.notes) onNote(note);
  const views = { ...o, maxSeqLen: session.maxSeqLen };
  if (kinds.some(({ task }) => hasCode(task))) requireCode(datasetOf(tasks), source);
  if (o.constrained && kinds.some(({ task }) => candidatesOf(task))) {
    throw new UserError('`constrained`: a judgement is no grid; leave it out');
  }
  const plans = kinds.map((kind, i) =>
    (candidatesOf(kind.task) ? planChoices : planScores)(sets[i]!, session.builder(kind), views),
  );
  for (const [i, { requests }] of plans.entries()) {
    if (requests.length > 0) continue;
    throw new UserError(
      `\`maxSeqLen: ${session.maxSeqLen}\`: no prompt of kind ${kinds[i]!.name} for ${source} fits with its answer`,
    );
  }
  const total = plans.reduce((sum, plan) => sum + answersOf(plan), 0);

  const decoder = await session.loadDecoder();
  let journal: Journal<ScoredGroup> | undefined;
  try {
    const { outputPath } = o;
    const identity = () => {
      const prompts = plans.flatMap(({ requests }) =>
        requests.map(({ prompt, answers }) => [prompt, ...answers].map(digestOf)),
      );
      return identityOf('score', o, { session, dataset: tasks, prompts });
    };
    journal = await openTogether(outputPath, identity, onNote, ranks);
    const lines = [...(await ranks.first(() => journal?.found ?? []))];
    const known = knownGroups(lines, kinds, plans, o.maxTokensPerBatch);
    let kept = [...known.values()].flat().reduce((sum, { length }) => sum + length, 0);
    if (kept > 0) onNote(`continuing: ${kept} of ${total} answers are scored already`);
    const scored: KindScore[] = [];
    const found: CandidateScores[][] = [];
    let before = 0;
    for (const [i, plan] of plans.entries()) {
      const kind = kinds[i]!;
      const computed: ScoredGroup[] = [];
      const scoreWith = (groups: (group: number) => readonly (readonly AnswerScore[])[] | undefined) =>
        scoreAnswers(decoder, session.tokenizer, plan.requests, {
          maxTokensPerBatch: o.maxTokensPerBatch,
          grammar: o.constrained ? session.builder(kind).answerGrammar : undefined,
          onProgress: ({ finished }) =>
            onEvent?.({ type: 'progress', unit: 'answers', finished: before + finished, total }),
          known: groups,
          onGroup(group, list) {
            const values = list.map((own) => own.map(({ logProb }) => logProb)); // NaN is null in JSON
            const line = { kind: kind.name, group, scores: values };
            journal?.append(line);
            computed.push(line);
            kept += values.flat().length;
          },
          signal,
        }).catch((error) => {
          if (!signal?.aborted || error !== signal.reason) throw error;
          throw new StoppedError(stopped(kept, total, 'answers', journal !== undefined));
        });
      const knownOf = (group: number) => known.get(keyOfGroup(kind.name, group));
      let scores: AnswerScore[][];
      if (ranks.size > 1) {
        ranks.start();
        const others = groupsOfOthers(ranks, plan.requests, o.maxTokensPerBatch, knownOf);
        await scoreWith((group) => knownOf(group) ?? others.get(group));
        lines.push(...(await ranks.gather(computed)).flat());
        const all = knownGroups(lines, kinds, plans, o.maxTokensPerBatch);
        scores = await scoreWith((group) => all.get(keyOfGroup(kind.name, group)));
        ranks.end();
      } else scores = await scoreWith(knownOf);
      const count = answersOf(plan);
      before += count;
      const shown = candidatesOf(kind.task);
      const ofSets = shown
        ? scoresOfChoices(sets[i]!, plan, scores, shown === 'several')
        : scoresOfSets(sets[i]!, plan, scores);
      const result = summarize(kind.name, sets[i]!, ofSets, plan);
      // a run that came to nothing leaves nothing
      if (result.notFinite === plan.judged) journal?.finish([]);
      const what = kinds.length > 1 ? `answers to ${result.kind}` : 'answers';
      noteNotFinite({ failed: result.notFinite, total: plan.judged, what }, decoder.keptType, onNote);
      scored.push(result);
      found.push(ofSets);
    }
    const result: ScoreResult = {
      kinds: scored,
      normalisedOver: o.constrained ? 'allowed tokens' : 'all tokens',
      ...(predictions ? { predictions: rescored(predictions, sets[0]!, found[0]!) } : {}),
    };
    if (outputPath !== undefined) {
      const items = (result.predictions ?? scored).map((item) => JSON.stringify(item));
      await onFirst(ranks, () => writeFileAtomic(outputPath, `[\n${items.join(',\n')}\n]\n`));
      journal?.finish([outputPath]);
    }
    return result;
  } finally {
    journal?.close();
    session.release(decoder);
  }
}

const answersOf = ({ requests }: Pick<ScorePlan, 'requests'>): number =>
  requests.reduce((sum, { answers }) => sum + answers.length, 0);

const keyOfGroup = (kind: string, group: number) => `${kind}/${group}`;

/** The groups of answers whose scores an earlier run has kept. */
function knownGroups(
  lines: readonly ScoredGroup[],
  kinds: readonly PromptKind[],
  plans: readonly ScorePlan[],
  maxTokensPerBatch: number,
): Map<string, AnswerScore[][]> {
  const known = new Map<string, AnswerScore[][]>();
  for (const [i, { name }] of kinds.entries()) {
    const { requests } = plans[i]!;
    const groups = scoringGroups(requests, maxTokensPerBatch);
    for (const line of lines) {
      if (line?.kind !== name) continue;
      const answers = groups[line.group]?.map((index) => requests[index]!.answers);
      // a line that was damaged and is still JSON
      if (!answers || !Array.isArray(line.scores) || line.scores.length !== answers.length) continue;
      if (answers.some((own, j) => line.scores[j]?.length !== own.length)) continue;
      const scores = answers.map((own, j) =>
        own.map(({ length }, k) => ({ logProb: line.scores[j]![k] ?? Number.NaN, tokens: length })),
      );
      known.set(keyOfGroup(name, line.group), scores);
    }
  }
  return known;
}

/** The known answers of a data set for a prompt kind. */
function solutions(tasks: ReadonlyMap<string, Task>, kind: PromptKind, source: string): CandidateSet[] {
  const known = [...tasks].flatMap(([taskId, task]) =>
    task.test.flatMap(({ input, output }, testIndex) => {
      const grid = kind.task === 'input-from-inputs' ? input : output;
      return grid ? [{ taskId, testIndex, task, grids: [grid] }] : [];
    }),
  );
  if (known.length === 0) {
    throw new UserError(
      `${source}: no solutions, which prompt kind ${kind.name} is scored on; put a ...solutions.json beside it ` +
        'or score predictions with `inputPath`',
    );
  }
  return known;
}

/** The different grids that were predicted for each test input. */
function predicted(
  tasks: ReadonlyMap<string, Task>,
  predictions: readonly Prediction[],
  source: string,
): CandidateSet[] {
  const sets: CandidateSet[] = [];
  for (const [taskId, inputs] of groupPredictions(predictions)) {
    for (const [testIndex, list] of inputs.entries()) {
      const task = tasks.get(taskId);
      if (!task?.test[testIndex]) {
        throw new UserError(
          `${source}: has no test input ${testIndex} of task ${taskId}, which was predicted`,
        );
      }
      const grids = new Map(list.flatMap(({ grid }) => (grid ? [[gridKey(grid), grid]] : [])));
      if (grids.size > 0) sets.push({ taskId, testIndex, task, grids: [...grids.values()] });
    }
  }
  return sets;
}

/** Means over the augmentations of each grid, and over all. */
function summarize(
  kind: string,
  sets: readonly CandidateSet[],
  found: readonly CandidateScores[],
  plan: ScorePlan,
): KindScore {
  const answers = sets.flatMap((set, i) =>
    scoredGrids(set, found[i]!).map(({ scores, tokens }) => {
      const known = scores.filter((score) => score !== null);
      const logProb = known.length > 0 ? mean(known) : null;
      const { taskId, testIndex } = set;
      return { taskId, testIndex, logProb, scores, tokens, augmentations: known.length };
    }),
  );
  const sum = (list: (answer: ScoredAnswer) => number) => answers.reduce((all, one) => all + list(one), 0);
  const total = sum(({ logProb, augmentations }) => (logProb ?? 0) * augmentations);
  const tokens = sum(({ tokens: count, augmentations }) => count * augmentations);
  const scored = sum(({ augmentations }) => augmentations);
  const { judged, tooLong, withoutView } = plan;
  const notFinite = Math.max(0, judged - scored);
  return {
    kind,
    answers,
    perAnswer: total / scored,
    perToken: total / tokens,
    tooLong,
    withoutView,
    notFinite,
  };
}

/** Predictions with their new log-probabilities; those without a grid or a prompt that fits keep theirs. */
function rescored(
  predictions: readonly Prediction[],
  sets: readonly CandidateSet[],
  found: readonly CandidateScores[],
): Prediction[] {
  const keyOf = (taskId: string, testIndex: number, grid: Grid) => `${taskId}/${testIndex}/${gridKey(grid)}`;
  const scored = new Map(
    sets.flatMap((set, i) =>
      scoredGrids(set, found[i]!).map((one) => [keyOf(set.taskId, set.testIndex, one.grid), one]),
    ),
  );
  return predictions.map((prediction) => {
    const { taskId, testIndex, grid } = prediction;
    const own = grid && scored.get(keyOf(taskId, testIndex, grid));
    return own ? withScores(prediction, own) : prediction;
  });
}
