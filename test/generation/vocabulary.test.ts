import { describe, expect, it } from 'vitest';
import { VocabularyTrie } from '../../src/generation/vocabulary.js';

const texts = ['', 'b', 'ab', 'a', 'abc', 'b', 'ñ', '😀', '<end>', 'ac'];
const tokenizer = {
  vocabSize: texts.length,
  stopIds: [8],
  encode: () => [],
  decode: () => '',
  tokenText: (id: number) => texts[id]!,
};

describe('VocabularyTrie', () => {
  const trie = new VocabularyTrie(tokenizer);

  /** Every token that is reached by following its own text. */
  const find = (text: string) => {
    const node = trie.child(trie.root, text);
    return node && trie.idsAt(node);
  };

  it('finds every token by its text, equal texts together', () => {
    expect(find('a')).toEqual([3]);
    expect(find('ab')).toEqual([2]);
    expect(find('abc')).toEqual([4]);
    expect(find('b')).toEqual([1, 5]);
    expect(find('ñ')).toEqual([6]);
    expect(find('😀')).toEqual([7]);
  });

  it('goes down character by character', () => {
    const a = trie.child(trie.root, 'a')!;
    const ab = trie.child(a, 'b')!;
    expect(trie.idsAt(ab)).toEqual([2]);
    expect(trie.idsAt(trie.child(ab, 'c')!)).toEqual([4]);
    expect(trie.child(ab, 'd')).toBeNull();
  });

  it('knows neither empty tokens nor the end of turn', () => {
    expect(find('<end>')).toBeNull();
    expect(trie.idsAt(trie.root)).toEqual([]);
  });
});
