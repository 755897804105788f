/** The answers of the demonstration's model, and what each step on the way to them gives. */
import type { Dataset } from '../arc/types.js';
import type { Hooks } from '../common/events.js';
import { newBallots } from '../evaluation/ballots.js';
import type { Part } from '../evaluation/contributions.js';
import { answersOf } from '../evaluation/files.js';
import type { Answers, Prediction } from '../evaluation/types.js';
import { mapInputs, vote } from '../evaluation/voting.js';
import type { ModelSession, SessionEvent } from '../session/index.js';

/** How the model is asked. */
export interface AnswerOptions {
  readonly promptVersion: string;
  readonly predictionsPerTask: number;
  /** Under how many views candidates are searched for, and under how many all of them are scored. */
  readonly views: number;
  /** The least probability of a candidate in the view that finds it. */
  readonly threshold: number;
  readonly maxNewTokens: number;
  readonly seed: number;
}

/** What the model answers. */
export interface ModelAnswers {
  readonly predictions: readonly Prediction[];
  /** The predictions and what the search found, with scores under common views. */
  readonly pool: readonly Prediction[];
  /** Two attempts for each test input: those of the pool that are most likely under all views together. */
  readonly answers: Answers;
  /** Ways to choose attempts, from greedy decoding to all steps together. */
  readonly parts: readonly Part[];
}

/** Predicts, searches, scores and selects. */
export async function answerTasks(
  model: ModelSession,
  tasks: Dataset,
  { promptVersion, predictionsPerTask, views, threshold, maxNewTokens, seed }: AnswerOptions,
  { onEvent, signal }: Hooks<SessionEvent>,
): Promise<ModelAnswers> {
  const common = { promptVersion, seed, onEvent, signal };
  const { predictions } = await model.infer(tasks, {
    ...common,
    predictionsPerTask,
    maxNewTokens,
    batchSize: 32,
  });
  const search = await model.search(tasks, { ...common, views, threshold, maxNewTokens, batchSize: 16 });
  // one call for both: a grid that both have is scored once
  const proposed = [...predictions, ...search.predictions];
  const hasGrids = proposed.some(({ grid }) => grid !== null);
  const scored = hasGrids
    ? (await model.score(tasks, { ...common, predictions: proposed, augmentations: views })).predictions!
    : proposed;
  const sampled = scored.slice(0, predictions.length);
  const found = scored.slice(predictions.length);
  const isNew = newBallots();
  const pool = [
    ...sampled.filter((attempt) => isNew(attempt, false)),
    ...found.filter((attempt) => isNew(attempt, true)),
  ];
  const best = (attempts: readonly Prediction[]) => vote(attempts, { method: 'sum-logprob' });
  const answers = best(pool);
  return {
    predictions,
    pool,
    answers,
    parts: [
      { name: 'greedy', answers: mapInputs(answersOf(predictions), (attempts) => attempts.slice(0, 1)) },
      { name: 'votes', answers: vote(predictions) },
      { name: 'votes and scores', answers: best(sampled), against: 'votes' },
      { name: 'search', answers: vote(search.predictions), against: 'votes' },
      { name: 'search and scores', answers: best(found), against: 'votes' },
      { name: 'all together', answers, against: 'votes' },
    ],
  };
}
