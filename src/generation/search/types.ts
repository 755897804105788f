/** @file What the search is asked, and what it answers. */
import type { TextGrammar } from '../../prompts/grammar.js';
import type { Completion, GenerationProgress } from '../engine.js';
import type { Frontier } from './frontier.js';

/** A prompt whose likely answers are wanted. */
export interface SearchRequest {
  /** Ids of the prompt's tokens, ending where the answer begins. */
  readonly tokens: readonly number[];
  /** Characters that an answer may have; anything when absent. */
  readonly grammar?: TextGrammar | undefined;
  /** Requests with the same number share limits: the views of one test input. Each has its own when absent. */
  readonly group?: number;
  /** Asked for when the search begins: answers that are likely, the best first, as tokens without an end. */
  readonly likelyAnswers?: () => readonly (readonly number[])[];
  /** The grid that is asked about, as tokens of an answer: its rows are guesses. */
  readonly input?: readonly number[];
  /** What a search with a higher threshold has found for this very prompt, in the same grammar, with the same model. */
  readonly before?: Pick<FoundAnswers, 'answers' | 'frontier'>;
}

/** When the search for a group of requests ends before it is complete, with what it has found. */
export interface SearchLimits {
  /** Seconds since its first forward pass; other groups may be in the same passes. */
  readonly seconds?: number | undefined;
  /** Tokens that were fed for it: prompts, answers, and guesses that were wrong. */
  readonly tokens?: number | undefined;
}

export interface SearchOptions {
  /** The least probability of an answer, in (0, 1]. */
  threshold: number;
  /** The most tokens of one answer. */
  maxNewTokens: number;
  /** Branches followed in parallel. */
  batchSize?: number;
  /** The longest prompt and answer together, in tokens; no limit when absent. */
  maxSeqLen?: number;
  /** The most rows of one forward pass. */
  rowsPerStep?: number;
  /** For each group of requests. */
  limits?: SearchLimits;
  /** Whether tokens are guessed and verified together; without, every pass feeds one decision of each branch. */
  guess?: boolean;
  onProgress?: (progress: SearchProgress) => void;
  /** Told every answer when it is found; true ends the search for the group. */
  onAnswer?: (request: number, answer: Completion) => boolean | undefined;
  /** A clock in milliseconds. */
  now?: () => number;
  /** When aborted, the search ends after a forward pass: the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** How far a search is: `total` counts requests, `tokens` those of answers that were fed, wrong guesses included. */
export interface SearchProgress extends GenerationProgress {
  /** Guessed tokens that were fed, and those of them that were right. */
  readonly guessedTokens: number;
  readonly acceptedTokens: number;
  /** Answers of the requests that are done. */
  readonly answers: number;
}

/** What a search has found for one prompt. */
export interface FoundAnswers {
  /** The likeliest first. */
  readonly answers: readonly Completion[];
  /** False when a limit has ended it before all answers above the threshold were found. */
  readonly isComplete: boolean;
  /** Why answers may be missing: the model's numbers stopped being finite on the way. */
  readonly reason?: string;
  readonly frontier: Frontier;
}
