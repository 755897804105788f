/** The answers of the demonstration's model, and what each step on the way to them gives. */
import type { Dataset } from '../arc/types.js';
import { StoppedError } from '../common/errors.js';
import type { Hooks, ProgressEvent } from '../common/events.js';
import { newBallots } from '../evaluation/ballots.js';
import type { Part } from '../evaluation/contributions.js';
import { answersOf } from '../evaluation/files.js';
import type { Answers, Prediction } from '../evaluation/types.js';
import { mapInputs, vote } from '../evaluation/voting.js';
import { recipes } from '../options/submit.js';
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

/** How the model learns a task before it is asked about it. */
export interface TaskTuningOptions {
  /** Optimizer steps for each task, of one sample each. */
  readonly steps: number;
  readonly learningRate: number;
  readonly maxSeqLen: number;
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

/** Candidates of a model, from each source. */
interface Candidates {
  /** Predicted, and found by the search: with the log-probability in the view that each comes from. */
  readonly predictions: readonly Prediction[];
  readonly searched: readonly Prediction[];
  /** The same with their scores. */
  readonly sampled: readonly Prediction[];
  readonly found: readonly Prediction[];
}

/** Predicts, searches and scores. */
async function findCandidates(
  model: ModelSession,
  tasks: Dataset,
  { promptVersion, predictionsPerTask, views, threshold, maxNewTokens, seed }: AnswerOptions,
  { onEvent, signal }: Hooks<SessionEvent>,
): Promise<Candidates> {
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
  return {
    predictions,
    searched: search.predictions,
    sampled: scored.slice(0, predictions.length),
    found: scored.slice(predictions.length),
  };
}

/** Those that are most likely under all views together. */
const likeliest = (attempts: readonly Prediction[]): Answers => vote(attempts, { method: 'sum-logprob' });

/** All candidates, what the search finds once more left out. */
function poolOf({ sampled, found }: Candidates): Prediction[] {
  const isNew = newBallots();
  return [
    ...sampled.filter((attempt) => isNew(attempt, false)),
    ...found.filter((attempt) => isNew(attempt, true)),
  ];
}

/** Predicts, searches, scores and selects. */
export async function answerTasks(
  model: ModelSession,
  tasks: Dataset,
  options: AnswerOptions,
  hooks: Hooks<SessionEvent>,
): Promise<ModelAnswers> {
  const candidates = await findCandidates(model, tasks, options, hooks);
  const { predictions, searched, sampled, found } = candidates;
  const pool = poolOf(candidates);
  const answers = likeliest(pool);
  return {
    predictions,
    pool,
    answers,
    parts: [
      { name: 'greedy', answers: mapInputs(answersOf(predictions), (attempts) => attempts.slice(0, 1)) },
      { name: 'votes', answers: vote(predictions) },
      { name: 'votes and scores', answers: likeliest(sampled), against: 'votes' },
      { name: 'search', answers: vote(searched), against: 'votes' },
      { name: 'search and scores', answers: likeliest(found), against: 'votes' },
      { name: 'all together', answers, against: 'votes' },
    ],
  };
}

/**
 * The same after the model has learnt each task by itself, as `submit` has it: every task begins with a fresh adapter,
 * and the model is afterwards as it was.
 * @returns ways to choose attempts, each to be compared with the same way of {@link answerTasks}
 */
export async function answerTunedTasks(
  model: ModelSession,
  tasks: Dataset,
  { steps, learningRate, maxSeqLen }: TaskTuningOptions,
  options: AnswerOptions,
  { onEvent, signal }: Hooks<SessionEvent | ProgressEvent<'tasks'>>,
): Promise<Part[]> {
  const { promptVersion, seed } = options;
  const { fineTuneBatchSize, fineTuneLossOn, fineTuneLrSchedulerType } = recipes.tune;
  const all: Candidates[] = [];
  const given = model.adapter;
  try {
    for (const [taskId, variants] of tasks) {
      onEvent?.({ type: 'progress', unit: 'tasks', finished: all.length, total: tasks.size });
      const tuning = await model.fineTuneOnTask([taskId, variants[0]!], {
        start: null,
        maxSteps: steps,
        learningRate,
        maxSeqLen,
        batchSize: fineTuneBatchSize,
        lossOn: fineTuneLossOn,
        lrSchedulerType: fineTuneLrSchedulerType,
        promptVersion,
        seed,
        signal,
      });
      if (tuning.stopped === 'signal') throw new StoppedError('stopped while learning a task');
      // what is asked of one task is too little to show
      all.push(await findCandidates(model, new Map([[taskId, variants]]), options, { signal }));
    }
  } finally {
    await model.useAdapter(given);
  }
  onEvent?.({ type: 'progress', unit: 'tasks', finished: all.length, total: tasks.size });
  const of = (source: keyof Candidates) => all.flatMap((candidates) => candidates[source]);
  return [
    { name: 'votes, tuned per task', answers: vote(of('predictions')), against: 'votes' },
    {
      name: 'votes and scores, tuned per task',
      answers: likeliest(of('sampled')),
      against: 'votes and scores',
    },
    {
      name: 'all together, tuned per task',
      answers: likeliest(all.flatMap(poolOf)),
      against: 'all together',
    },
  ];
}
