import {
  ByteLevelPreTokenizer,
  DigitsPreTokenizer,
  SplitPreTokenizer,
  type Tokenizer,
} from '@huggingface/tokenizers';
import { TokenizerError } from './errors.js';
import { type SentencepieceJson, unwritableFinder } from './sentencepiece.js';

/**
 * Text to token ids, quickly. The library spends most of its time on turning every pre-token into byte letters
 * anew (24 ms for a prompt of 6,000 tokens, this way 1.5 ms); grid text has few different pre-tokens, so their ids
 * are remembered. Added tokens are cut out first and the first pre-tokenizer runs as in the library; all that comes
 * after it sees each piece alone, which is what makes remembering exact. A tokenizer with a part for which that
 * does not hold goes through the library.
 */

type PreTokenizer = InstanceType<
  typeof SplitPreTokenizer | typeof DigitsPreTokenizer | typeof ByteLevelPreTokenizer
>;

interface PartConfig {
  readonly type: string;
  readonly pretokenizers?: readonly PartConfig[];
  readonly processors?: readonly PartConfig[];
  readonly use_regex?: boolean;
  readonly add_prefix_space?: boolean;
}

/** The parts of tokenizer.json that decide whether the quick way is exact. */
export interface TokenizerJson {
  readonly model: {
    readonly type?: string;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
  };
  readonly normalizer: PartConfig | null;
  readonly pre_tokenizer: PartConfig | null;
  readonly post_processor: PartConfig | null;
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly single_word?: boolean;
    readonly lstrip?: boolean;
    readonly rstrip?: boolean;
    readonly normalized?: boolean;
    readonly special?: boolean;
  }[];
}

/** What is remembered: at most this many pieces (tens of MB), none longer than `longestPiece`. */
const mostPieces = 100_000;
const longestPiece = 256;

/** GPT-2's pattern, which a byte-level pre-tokenizer applies unless told otherwise. */
const gpt2Pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

type Split = (text: string) => readonly string[];

function preTokenizer(config: PartConfig): PreTokenizer | undefined {
  // biome-ignore lint/suspicious/noExplicitAny: the library's own config types are not exported
  const anyConfig = config as any;
  if (config.type === 'Split') return new SplitPreTokenizer(anyConfig);
  if (config.type === 'Digits') return new DigitsPreTokenizer(anyConfig);
  if (config.type === 'ByteLevel' && !config.add_prefix_space) return new ByteLevelPreTokenizer(anyConfig);
  return undefined;
}

/** The first step of a pre-tokenizer, and the others, which see each piece alone. */
function steps(config: PartConfig): { first: Split; rest: PreTokenizer[] } | undefined {
  const [head, ...tail] = config.type === 'Sequence' ? (config.pretokenizers ?? []) : [config];
  if (!head) return undefined;
  const parts = [head, ...tail].map(preTokenizer);
  if (parts.some((part) => part === undefined)) return undefined;
  const [first, ...rest] = parts as [PreTokenizer, ...PreTokenizer[]];
  if (head.type !== 'ByteLevel') return { first: (text) => first.pre_tokenize_text(text), rest };
  const bytes = preTokenizer({ ...head, use_regex: false }) as PreTokenizer;
  const split: Split = head.use_regex === false ? (text) => [text] : (text) => text.match(gpt2Pattern) ?? [];
  return { first: split, rest: [bytes, ...rest] };
}

/** True when added tokens are cut out of the text as they stand, before anything else. */
function addedTokensArePlain(json: TokenizerJson): boolean {
  return json.added_tokens.every(
    (token) =>
      !token.lstrip &&
      !token.rstrip &&
      !token.single_word &&
      (json.normalizer === null || !(token.normalized ?? !token.special)),
  );
}

/** True when nothing is added or moved after the model. */
function postProcessorKeepsIds(config: PartConfig | null): boolean {
  if (config === null || config.type === 'ByteLevel' || config.type === 'TemplateProcessing') return true;
  return config.type === 'Sequence' && (config.processors ?? []).every(postProcessorKeepsIds);
}

function cannotWrite(text: string): TokenizerError {
  return new TokenizerError(
    `the tokenizer cannot write ${JSON.stringify(text)}; a pruned model takes the prompt kinds and the grid ` +
      'encoder that it was pruned for',
  );
}

/** Makes the function from text to ids; no token is added at the beginning or the end. */
export function textEncoder(
  tokenizer: Tokenizer,
  json: TokenizerJson & SentencepieceJson,
  config: Record<string, unknown>,
): (text: string) => number[] {
  const unwritable = unwritableFinder(json);
  const plain = (text: string) => {
    const letter = unwritable?.(text);
    if (letter !== undefined) throw cannotWrite(letter);
    return tokenizer.encode(text, { add_special_tokens: false }).ids;
  };
  const { model, normalizer } = tokenizer;
  const split = json.pre_tokenizer && steps(json.pre_tokenizer);
  const exact =
    split &&
    model &&
    json.model.type === 'BPE' &&
    !model.fuse_unk &&
    !unwritable &&
    addedTokensArePlain(json) &&
    postProcessorKeepsIds(json.post_processor) &&
    config.remove_space !== true &&
    config.do_lowercase_and_remove_accent !== true;
  if (!exact) return plain;

  const isWhole =
    !model.unk_token && json.model.continuing_subword_prefix == null && json.model.end_of_word_suffix == null;
  const remembered = new Map<string, readonly number[]>();
  const pieceIds = (piece: string): readonly number[] => {
    const known = remembered.get(piece);
    if (known) return known;
    const words = split.rest.reduce<string[]>((texts, part) => part.pre_tokenize(texts), [piece]);
    const tokens = model.encode(words);
    // where there is no token for the unknown, the library leaves it out
    if (isWhole && tokens.join('') !== words.join('')) throw cannotWrite(piece);
    const ids = tokens.map((token) => (tokenizer.token_to_id(token) ?? model.unk_token_id) as number);
    if (piece.length <= longestPiece) {
      if (remembered.size >= mostPieces) remembered.clear();
      remembered.set(piece, ids);
    }
    return ids;
  };

  const added = new Map(json.added_tokens.map((token) => [token.content, token.id]));
  // the longest of those that begin at one place is meant: alternatives are tried in order
  const contents = [...added.keys()].sort((a, b) => b.length - a.length);
  const escaped = contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  const cut = contents.length > 0 ? new RegExp(`(${escaped.join('|')})`) : undefined;

  return (text) => {
    const ids: number[] = [];
    // with one group, the odd items are the added tokens
    const sections = cut ? text.split(cut) : [text];
    for (let i = 0; i < sections.length; i++) {
      const section = sections[i] as string;
      if (i % 2 === 1) {
        ids.push(added.get(section) as number);
      } else if (section !== '') {
        const normalized = normalizer ? normalizer.normalize(section) : section;
        for (const piece of split.first(normalized)) {
          for (const id of pieceIds(piece)) ids.push(id);
        }
      }
    }
    return ids;
  };
}
