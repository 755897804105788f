/** @file The prompts of a search: one for requests that ask the same. */
import type { TextGrammar } from '../../prompts/grammar.js';
import { TokenGrammar } from '../constraint.js';
import { ListNumbers } from '../list-numbers.js';
import { type GenerationTokenizer, vocabularyOf } from '../vocabulary.js';
import { AnswerTree } from './answer-tree.js';
import { PromptSearch } from './prompt-search.js';
import type { SearchOptions, SearchRequest } from './types.js';

/** What requests that share limits have used. */
export interface SharedUsage {
  /** Tokens that were fed for them. */
  tokens: number;
  /** When the first of them was fed, in milliseconds. */
  startedAt: number | undefined;
  /** Whether they have reached a limit. */
  isOver: boolean;
}

/** A prompt in the search, and the requests that ask for it. */
export interface SearchItem {
  readonly search: PromptSearch;
  readonly requests: readonly number[];
  readonly request: SearchRequest;
  readonly group: SharedUsage;
  likely: readonly (readonly number[])[];
  isDone: boolean;
}

/**
 * A search for each different prompt of a group.
 * @param maxLength positions of a slot of the cache
 */
export function makeItems(
  requests: readonly SearchRequest[],
  tokenizer: GenerationTokenizer,
  { threshold, maxNewTokens, onAnswer }: SearchOptions,
  maxLength: number,
): SearchItem[] {
  const grammars = new Map<TextGrammar | undefined, TokenGrammar | undefined>([[undefined, undefined]]);
  const groups = new Map<number | string, SharedUsage>();
  const prompts = new ListNumbers();
  const items = new Map<string, SearchItem & { readonly requests: number[] }>();
  for (const [i, request] of requests.entries()) {
    const { tokens, grammar, group: name = `of ${i}`, before } = request;
    if (!grammars.has(grammar)) {
      grammars.set(grammar, new TokenGrammar(grammar!, vocabularyOf(tokenizer), tokenizer));
    }
    const group = groups.get(name) ?? { tokens: 0, startedAt: undefined, isOver: false };
    groups.set(name, group);
    const key = `${prompts.of(tokens)}/${[...grammars.keys()].indexOf(grammar)}/${name}`;
    const known = items.get(key);
    if (known) {
      known.requests.push(i);
      continue;
    }
    const tree = new AnswerTree(grammars.get(grammar), Math.min(maxNewTokens, maxLength - tokens.length));
    const own = [i];
    const search = new PromptSearch(
      { prompt: tokens, tree, floor: Math.log(threshold), decode: (ids) => tokenizer.decode(ids) },
      (answer) => {
        for (const asking of own) if (onAnswer?.(asking, answer)) group.isOver = true;
      },
      before,
    );
    items.set(key, { search, requests: own, request, group, likely: [], isDone: false });
  }
  return [...items.values()];
}
