import type { Decoder } from '../models/decoder.js';
import type { TextGrammar } from '../prompts/grammar.js';
import { TokenGrammar } from './constraint.js';
import {
  type AnswerScore,
  longest,
  Scoring,
  type ScoringProgress,
  type ScoringRequest,
} from './scoring-lanes.js';
import { type GenerationTokenizer, vocabularyOf } from './vocabulary.js';

export type { AnswerScore, ScoringProgress, ScoringRequest } from './scoring-lanes.js';

/** How answers are scored. */
export interface ScoringOptions {
  /** Tokens of one forward pass; the cache holds at most four times as many, or one prompt with its answer. */
  maxTokensPerBatch?: number;
  /**
   * Normalises over what this grammar allows, as constrained decoding chooses: what it forces counts 0. Without it the
   * model's own distribution counts, over all tokens that it has.
   */
  grammar?: TextGrammar | undefined;
  onProgress?: (progress: ScoringProgress) => void;
  /** Scores of a group of requests that are known already, by its number, see `scoringGroups`. */
  known?: (group: number) => readonly (readonly AnswerScore[])[] | undefined;
  /** Told the scores of every group that was computed, request by request. */
  onGroup?: (group: number, scores: readonly (readonly AnswerScore[])[]) => void;
  /** When aborted, scoring ends after a pass: the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Tokens that are fed for the requests of a group, in tokens of a pass: a run that is killed loses one. */
const GROUP = 8;

const DEFAULT_TOKENS = 4096;

/** Tokens that the cache has room for where nothing else is said. */
export const SCORING_CACHE = 4 * DEFAULT_TOKENS;

/**
 * The log-probability of each answer after its prompt: what generation would report had it written these tokens.
 * Answers do not see each other. Which prompts share a pass depends on all requests and `maxTokensPerBatch` only; a
 * score depends on that in its last digits.
 * @returns for each request the scores of its answers in their order
 */
export async function scoreAnswers(
  decoder: Decoder,
  tokenizer: GenerationTokenizer,
  requests: readonly ScoringRequest[],
  options: ScoringOptions = {},
): Promise<AnswerScore[][]> {
  const { maxTokensPerBatch = DEFAULT_TOKENS, grammar, known, onGroup, onProgress, signal } = options;
  const scores: AnswerScore[][] = [];
  const total = requests.reduce((sum, { answers }) => sum + answers.length, 0);
  const progress = { finished: 0, total, tokens: 0, passes: 0 };
  const lifted = grammar && new TokenGrammar(grammar, vocabularyOf(tokenizer), tokenizer);
  for (const [i, group] of scoringGroups(requests, maxTokensPerBatch).entries()) {
    const finished = group.reduce((sum, index) => sum + requests[index]!.answers.length, progress.finished);
    let found = known?.(i);
    if (found === undefined) {
      const scoring = new Scoring(decoder, tokenizer.stopIds, lifted, maxTokensPerBatch, progress);
      const asked = group.map((index) => requests[index]!);
      found = await scoring.run(asked, () => onProgress?.({ ...progress }), signal);
      onGroup?.(i, found);
    }
    for (const [j, index] of group.entries()) scores[index] = [...found[j]!];
    progress.finished = finished;
    onProgress?.({ ...progress });
  }
  return scores;
}

/**
 * The requests that are scored together, as indices, the longest first: what does not fit into the memory is found at
 * once, and slots of one length hold prompts of nearly that.
 */
export function scoringGroups(
  requests: readonly ScoringRequest[],
  maxTokensPerBatch = DEFAULT_TOKENS,
): number[][] {
  const lengths = requests.map(longest);
  const order = [...requests.keys()].sort((a, b) => lengths[b]! - lengths[a]!);
  const groups: number[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const index of order) {
    if (tokens >= GROUP * maxTokensPerBatch) {
      groups.push([]);
      tokens = 0;
    }
    groups.at(-1)!.push(index);
    const { prompt, answers } = requests[index]!;
    tokens += answers.reduce((sum, { length }) => sum + length, prompt.length);
  }
  return groups;
}
