/** @file Grids that are proposed for a test input, scored under the same views of its task. */
import { type Augmentation, augmentGrid, augmentTask } from '../arc/augmentation.js';
import type { Grid, Task } from '../arc/types.js';
import { mean } from '../evaluation/metrics.js';
import type { ScoredGrid } from '../evaluation/scores.js';
import {
  type AnswerScore,
  type ScoringOptions,
  type ScoringRequest,
  scoreAnswers,
} from '../generation/scoring.js';
import type { Decoder } from '../models/decoder.js';
import type { PromptBuilder } from '../prompts/index.js';
import { type AugmentationToggles, TaskViews, togglesFor } from './views.js';

/** The grids that are scored as answers to one test input: what its prompt asks for. */
export interface CandidateSet {
  readonly taskId: string;
  readonly testIndex: number;
  readonly task: Task;
  readonly grids: readonly Grid[];
}

/** Under which views grids are scored. */
export interface ViewOptions extends AugmentationToggles {
  /** How many; the first changes nothing. A task may have fewer. */
  readonly augmentations: number;
  /** Names the views, as in inference: view i of a task is the same there. */
  readonly seed: number;
  /** The longest prompt and answer together, in tokens. */
  readonly maxSeqLen: number;
}

/** The scores of the grids of one set. */
export interface CandidateScores {
  /**
   * `scores[grid][view]`: log-probability of the whole answer with its end, in nats. Null where no prompt fits, or the
   * model's numbers are not finite.
   */
  readonly scores: readonly (readonly (number | null)[])[];
  /** `tokens[grid][view]`: how many tokens of the answer that is. */
  readonly tokens: readonly (readonly number[])[];
}

/** What is asked of a model for some sets, and what it is asked for. */
export interface ScorePlan {
  readonly requests: readonly ScoringRequest[];
  /** Whose score each answer of each request is. */
  readonly owners: readonly (readonly Owner[])[];
  /** How many views each set has. */
  readonly views: readonly number[];
  /** Grids under a view for which there is a prompt. */
  readonly judged: number;
  /** Grids under a view for which no prompt fits. */
  readonly tooLong: number;
  /** Views fewer than asked for, over all grids, because their tasks have no more that differ. */
  readonly withoutView: number;
}

/** A grid of a set under a view. */
interface Owner {
  readonly set: number;
  readonly grid: number;
  readonly view: number;
}

/** The views that the candidates for one test input are scored under. */
export function viewsOf(
  { taskId, task }: CandidateSet,
  { augmentations, seed, ...toggles }: ViewOptions,
): Augmentation[] {
  const all = new TaskViews(seed, taskId, task, toggles);
  return Array.from({ length: Math.min(augmentations, all.total) }, (_, view) => all.at(view));
}

/**
 * The prompts of all sets under their views, each with the answers to it. A prompt that is too long with an answer
 * loses train samples from the end, for that answer: so grids of very different sizes may be answers to different
 * prompts of a view.
 */
export function planScores(
  sets: readonly CandidateSet[],
  builder: PromptBuilder,
  given: ViewOptions,
): ScorePlan {
  const options = { ...given, ...togglesFor(builder.kind.task, given) };
  const requests: { prompt: readonly number[]; answers: number[][] }[] = [];
  const owners: Owner[][] = [];
  const views: number[] = [];
  let tooLong = 0;
  let withoutView = 0;
  for (const [set, candidates] of sets.entries()) {
    const { testIndex, task, grids } = candidates;
    const own = viewsOf(candidates, options);
    views.push(own.length);
    withoutView += (options.augmentations - own.length) * grids.length;
    for (const [view, augmentation] of own.entries()) {
      const promptFor = fitting(builder, augmentTask(task, augmentation), testIndex, options.maxSeqLen);
      const places = new Map<readonly number[], number>();
      for (const [grid, cells] of grids.entries()) {
        const answer = builder.answer(augmentGrid(cells, augmentation));
        const prompt = promptFor(answer.length);
        if (prompt === null) {
          tooLong += 1;
          continue;
        }
        const place = places.get(prompt) ?? requests.length;
        if (place === requests.length) {
          places.set(prompt, place);
          requests.push({ prompt, answers: [] });
          owners.push([]);
        }
        requests[place]!.answers.push(answer);
        owners[place]!.push({ set, grid, view });
      }
    }
  }
  const judged = owners.reduce((sum, { length }) => sum + length, 0);
  return { requests, owners, views, judged, tooLong, withoutView };
}

/** The longest prompt of a task that leaves room for so many tokens, the same for all answers where it does. */
export function fitting(
  builder: PromptBuilder,
  task: Task,
  testIndex: number,
  maxSeqLen: number,
): (answerLength: number) => readonly number[] | null {
  const prompts: (readonly number[])[] = [];
  return (answerLength) => {
    for (let removed = 0; removed < Math.max(1, task.train.length); removed++) {
      prompts[removed] ??= builder.inference(
        { ...task, train: task.train.slice(0, task.train.length - removed) },
        testIndex,
      ).tokens;
      if (prompts[removed]!.length + answerLength <= maxSeqLen) return prompts[removed]!;
    }
    return null;
  };
}

/** The scores of a plan's answers, by set. */
export function scoresOfSets(
  sets: readonly CandidateSet[],
  { owners, views }: Pick<ScorePlan, 'owners' | 'views'>,
  answers: readonly (readonly AnswerScore[])[],
): CandidateScores[] {
  const found = sets.map(({ grids }, i) => ({
    scores: grids.map(() => new Array<number | null>(views[i]!).fill(null)),
    tokens: grids.map(() => new Array<number>(views[i]!).fill(0)),
  }));
  for (const [i, own] of owners.entries()) {
    for (const [j, { set, grid, view }] of own.entries()) {
      const { logProb, tokens } = answers[i]![j]!;
      if (!Number.isFinite(logProb)) continue;
      found[set]!.scores[grid]![view] = logProb;
      found[set]!.tokens[grid]![view] = tokens;
    }
  }
  return found;
}

/** The grids of a set with their scores. */
export function scoredGrids({ grids }: CandidateSet, { scores, tokens }: CandidateScores): ScoredGrid[] {
  return grids.map((grid, i) => {
    const known = tokens[i]!.filter((_, view) => scores[i]![view] !== null);
    return { grid, scores: scores[i]!, tokens: known.length > 0 ? mean(known) : 0 };
  });
}

/**
 * Scores grids under the views of their tasks. Each view's prompt is fed once, whatever the number of grids, and
 * prompts of several views and test inputs share forward passes.
 * @returns the scores of each set, in the order of the sets
 */
export async function scoreUnderViews(
  decoder: Decoder,
  builder: PromptBuilder,
  sets: readonly CandidateSet[],
  { views, ...scoring }: SetScoring,
): Promise<CandidateScores[]> {
  const plan = planScores(sets, builder, views);
  return scoresOfSets(sets, plan, await scoreAnswers(decoder, builder.tokenizer, plan.requests, scoring));
}

/** How the grids of a set are scored. */
type SetScoring = Omit<ScoringOptions, 'known' | 'onGroup'> & { readonly views: ViewOptions };

/**
 * Scores the grids of one set under its first view, and then under as many others as there is time for by what the
 * first ones took: all grids under the same.
 * @param secondsLeft until when; Infinity for all views
 */
export async function scoreInTime(
  decoder: Decoder,
  builder: PromptBuilder,
  set: CandidateSet,
  { views, ...scoring }: SetScoring,
  secondsLeft: () => number,
): Promise<CandidateScores> {
  const { requests, owners, views: counts } = planScores([set], builder, views);
  const total = counts[0]!;
  const answers: AnswerScore[][] = [];
  let done = 0;
  for (let next = secondsLeft() === Number.POSITIVE_INFINITY ? total : 1; next >= 1 && done < total; ) {
    const upTo = Math.min(total, done + next);
    const begin = performance.now();
    // requests are in the order of their views
    const end = owners.filter(([first]) => first!.view < upTo).length;
    answers.push(
      ...(await scoreAnswers(decoder, builder.tokenizer, requests.slice(answers.length, end), scoring)),
    );
    const secondsPerView = (performance.now() - begin) / 1000 / (upTo - done);
    done = upTo;
    next = Math.floor(Math.max(0, secondsLeft()) / secondsPerView);
  }
  return scoresOfSets([set], { owners: owners.slice(0, answers.length), views: [done] }, answers)[0]!;
}
