/** What generation needs of a tokenizer. */
export interface GenerationTokenizer {
  readonly vocabSize: number;
  /** The tokens any of which ends an answer. */
  readonly stopIds: readonly number[];
  /** Tokens that no text is cut into, where there are such. */
  readonly unusedIds?: ReadonlySet<number>;
  encode(text: string): number[];
  /** Of a text that goes on from another, where that is not the same. */
  encodeAfter?(text: string): number[];
  decode(ids: readonly number[]): string;
  tokenText(id: number): string;
}

/** A set of tokens that share their first `depth` characters: a range of the sorted vocabulary. */
export interface TrieNode {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
}

/**
 * All token texts as a trie that takes no memory of its own: the texts are sorted, a node is the range of
 * those with a common prefix, and going down is a binary search. Building it for 150,000 tokens takes a
 * fraction of a second; a trie of objects would take hundreds of megabytes.
 */
export class VocabularyTrie {
  readonly #texts: readonly string[];
  readonly #ids: Int32Array;

  /** Leaves out tokens without text, those that no text has, and those that end an answer, which do not continue one. */
  constructor(tokenizer: GenerationTokenizer) {
    const tokens: { id: number; text: string }[] = [];
    const stopIds = new Set(tokenizer.stopIds);
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      const text = stopIds.has(id) || tokenizer.unusedIds?.has(id) ? '' : tokenizer.tokenText(id);
      if (text) tokens.push({ id, text });
    }
    tokens.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.id - b.id));
    this.#texts = tokens.map(({ text }) => text);
    this.#ids = Int32Array.from(tokens, ({ id }) => id);
  }

  get root(): TrieNode {
    return { from: 0, to: this.#texts.length, depth: 0 };
  }

  /** The tokens of `node` that go on with `text` (usually one character), or null when there is none. */
  child(node: TrieNode, text: string): TrieNode | null {
    let { from, to, depth } = node;
    for (let i = 0; i < text.length && from < to; i++, depth++) {
      const unit = text.charCodeAt(i);
      from = this.#firstAtLeast(from, to, depth, unit);
      to = this.#firstAtLeast(from, to, depth, unit + 1);
    }
    return from < to ? { from, to, depth } : null;
  }

  /** The ids of the tokens whose text ends at this node; a text may belong to several ids. */
  idsAt({ from, to, depth }: TrieNode): number[] {
    const ids: number[] = [];
    // a prefix sorts before everything that it begins
    for (let i = from; i < to && this.#texts[i]!.length === depth; i++) ids.push(this.#ids[i]!);
    return ids;
  }

  /** The first index in [from, to) whose UTF-16 unit at `depth` is at least `unit`; texts that end sort first. */
  #firstAtLeast(from: number, to: number, depth: number, unit: number): number {
    while (from < to) {
      const middle = (from + to) >>> 1;
      const text = this.#texts[middle]!;
      if (text.length > depth && text.charCodeAt(depth) >= unit) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}

const vocabularies = new WeakMap<object, VocabularyTrie>();

/** The tokenizer's vocabulary as a trie, built once for each tokenizer. */
export function vocabularyOf(tokenizer: GenerationTokenizer): VocabularyTrie {
  let vocabulary = vocabularies.get(tokenizer);
  if (!vocabulary) {
    vocabulary = new VocabularyTrie(tokenizer);
    vocabularies.set(tokenizer, vocabulary);
  }
  return vocabulary;
}
