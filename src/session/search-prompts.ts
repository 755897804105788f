/** @file The search under views of test inputs: what one view has found is tried first in the others. */
import { augmentGrid } from '../arc/augmentation.js';
import type { Task } from '../arc/types.js';
import { searchAnswers } from '../generation/search/search.js';
import type { FoundAnswers, SearchOptions } from '../generation/search/types.js';
import type { Decoder } from '../models/decoder.js';
import type { PromptBuilder } from '../prompts/index.js';
import type { CandidatePool } from './candidate-pool.js';
import type { PlannedPrediction } from './predictions.js';

/** What is searched, and what is known of it. */
export interface SearchPromptsOptions extends Omit<SearchOptions, 'onAnswer'> {
  readonly constrained: boolean;
  /** Ends the search for a test input after this many different grids. */
  readonly maxCandidates?: number | undefined;
  /** The candidates for the test input of a prompt; what is found is added to them. */
  readonly poolOf: (planned: PlannedPrediction) => CandidatePool;
  readonly taskOf: (planned: PlannedPrediction) => Task;
  /** What a search at a higher threshold has found for a prompt. */
  readonly foundBefore?: (planned: PlannedPrediction) => FoundAnswers | undefined;
}

/** One test input, as a key. */
export const inputKey = ({ taskId, testIndex }: Pick<PlannedPrediction, 'taskId' | 'testIndex'>): string =>
  JSON.stringify([taskId, testIndex]);

/**
 * Finds the likely answers to prompts which share forward passes; those about one test input share its limits.
 * @param planned prompts that fit, in the order in which they are begun
 */
export function searchPrompts(
  decoder: Decoder,
  prompts: PromptBuilder,
  planned: readonly PlannedPrediction[],
  { constrained, maxCandidates, poolOf, taskOf, foundBefore, ...options }: SearchPromptsOptions,
): Promise<FoundAnswers[]> {
  const inputs = [...new Set(planned.map(inputKey))];
  const requests = planned.map((one) => {
    const { input } = taskOf(one).test[one.testIndex]!;
    const before = foundBefore?.(one);
    return {
      tokens: one.tokens!,
      group: inputs.indexOf(inputKey(one)),
      ...(constrained ? { grammar: prompts.answerGrammar } : {}),
      likelyAnswers: () => poolOf(one).answersFor(one),
      input: prompts.answer(augmentGrid(input, one.augmentation)).slice(0, -1),
      ...(before ? { before } : {}),
    };
  });
  return searchAnswers(decoder, prompts.tokenizer, requests, {
    ...options,
    onAnswer(request, answer) {
      const pool = poolOf(planned[request]!);
      pool.add(planned[request]!, answer);
      return pool.size >= (maxCandidates ?? Number.POSITIVE_INFINITY);
    },
  });
}
