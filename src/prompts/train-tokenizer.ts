import { join } from 'node:path';
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { writeFileAtomic, writeJson } from '../common/files.js';
import { byteLetters } from './byte-level.js';
import { TokenizerError } from './errors.js';
import { parseGridEncoder } from './grid-encoder.js';
import { isOfGrids, templateKinds } from './prompt-kinds.js';

/**
 * A small byte-level BPE tokenizer for tiny models, learned from our own prompts (Sennrich et al. 2016,
 * https://arxiv.org/abs/1508.07909; the file format is that of Hugging Face's tokenizers). 256 letters for the
 * bytes, so that any text round-trips; the most frequent neighbours merged; the chat's special tokens last.
 */

/** Qwen2's pre-tokenizer: words, single digits, punctuation with the newlines behind it, white space. */
const splitConfig = {
  type: 'Split',
  pattern: {
    Regex:
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  },
  behavior: 'Isolated',
  invert: false,
} as const;

const byteLevelConfig = {
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: false,
  use_regex: false,
} as const;

const specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The smallest vocabulary: every byte and the special tokens. */
const smallestVocabSize = 256 + specialTokens.length;

/** A word's symbols, how often it occurs. */
interface CountedWord {
  symbols: string[];
  readonly count: number;
}

/** What our prompts look like: every template filled in, and what grids add to it in each encoding. */
function trainingTexts(): string[] {
  const grid = [
    [0, 1, 2],
    [3, 4, 5],
  ];
  const encoders = [
    'MinimalGridEncoder()',
    "GridWithSeparationEncoder('|')",
    'GridCodeBlockEncoder(MinimalGridEncoder())',
    'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  ].map(parseGridEncoder);
  const texts: string[] = [];
  const kinds = templateKinds.filter(isOfGrids);
  for (const kind of kinds) {
    for (const encoder of encoders) {
      const text = encoder.encode(grid);
      const shown = [text, text, text];
      const turns = kind.turns({
        train: shown.map(() => ({ input: text, output: text })),
        test: text,
        inputs: shown,
        outputs: shown,
        answer: text,
      });
      texts.push(...turns.map(({ role, content }) => `${role}\n${content}`));
    }
  }
  // symbols one by one: learned side by side, they would merge across cells
  const signs = parseGridEncoder('ReplaceNumberEncoder()');
  for (let color = 0; color < 10; color++) {
    for (let i = 0; i < encoders.length * kinds.length; i++) texts.push(signs.encode([[color]]));
  }
  return texts;
}

/** The words of texts, as the pre-tokenizer cuts them, in byte letters. */
function countWords(texts: readonly string[]): CountedWord[] {
  const split = new SplitPreTokenizer(splitConfig);
  const letters = byteLetters();
  const utf8 = new TextEncoder();
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of split.pre_tokenize_text(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(utf8.encode(word), (byte) => letters[byte] as string),
    count,
  }));
}

/** The most frequent pair of neighbours; the first in the order of code units among equals. */
function bestPair(words: readonly CountedWord[]): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { symbols, count } of words) {
    for (let i = 1; i < symbols.length; i++) {
      const pair = `${symbols[i - 1]} ${symbols[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  let most = 0;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && best !== undefined && pair < best)) {
      best = pair;
      most = count;
    }
  }
  return best?.split(' ') as [string, string] | undefined;
}

function merge(word: CountedWord, [left, right]: readonly [string, string]): void {
  const merged: string[] = [];
  for (const symbol of word.symbols) {
    if (symbol === right && merged.at(-1) === left) merged[merged.length - 1] = left + right;
    else merged.push(symbol);
  }
  word.symbols = merged;
}

/** The two files of a tokenizer. */
export interface TokenizerFiles {
  /** The content of tokenizer.json. */
  readonly tokenizer: Record<string, unknown>;
  /** The content of tokenizer_config.json, with a ChatML chat template. */
  readonly config: Record<string, unknown>;
}

export interface TokenizerOptions {
  /** Tokens at most, the 256 bytes and 3 special ones included; fewer when the texts have no more to merge. */
  readonly vocabSize?: number;
  /** What to learn merges from; our own prompts unless given. */
  readonly texts?: readonly string[];
}

/**
 * Learns a byte-level BPE tokenizer; digits are always tokens of their own. The same options give the same files.
 * @throws {TokenizerError} when the vocabulary would not even hold the bytes and the special tokens.
 */
export function trainTokenizer({ vocabSize = 512, texts }: TokenizerOptions = {}): TokenizerFiles {
  if (!Number.isInteger(vocabSize) || vocabSize < smallestVocabSize) {
    throw new TokenizerError(
      `Vocabulary size ${vocabSize}: expected an integer of at least ${smallestVocabSize} (256 bytes and ${specialTokens.length} special tokens)`,
    );
  }
  const words = countWords(texts ?? trainingTexts());
  const tokens = byteLetters();
  const merges: [string, string][] = [];
  while (tokens.length + specialTokens.length < vocabSize) {
    const pair = bestPair(words);
    if (!pair) break;
    merges.push(pair);
    tokens.push(pair.join(''));
    for (const word of words) merge(word, pair);
  }
  const addedTokens = specialTokens.map((content, i) => ({
    id: tokens.length + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens,
      normalizer: null,
      pre_tokenizer: { type: 'Sequence', pretokenizers: [splitConfig, byteLevelConfig] },
      post_processor: null,
      decoder: byteLevelConfig,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      add_bos_token: false,
      bos_token: null,
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      unk_token: null,
      additional_special_tokens: ['<|im_start|>', '<|im_end|>'],
      clean_up_tokenization_spaces: false,
      model_max_length: 1_000_000,
      chat_template: chatTemplate,
    },
  };
}

/** Trains a tokenizer and writes its files into a model folder (made if missing). Returns its vocabulary size. */
export function writeTokenizer(folder: string, options: TokenizerOptions = {}): number {
  const { tokenizer, config } = trainTokenizer(options);
  writeFileAtomic(join(folder, 'tokenizer.json'), `${JSON.stringify(tokenizer, null, 1)}\n`);
  writeJson(join(folder, 'tokenizer_config.json'), config);
  const { vocab } = tokenizer.model as { vocab: Record<string, number> };
  return Object.keys(vocab).length + specialTokens.length;
}
