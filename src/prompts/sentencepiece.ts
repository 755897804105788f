import type { ByteLevelJson } from './byte-level.js';

/** What stands for a space in the tokens of sentencepiece. */
export const spaceLetter = '▁';

interface PartConfig {
  readonly type: string;
  readonly pretokenizers?: readonly PartConfig[];
  readonly normalizers?: readonly PartConfig[];
  readonly pattern?: { readonly String?: string };
  readonly content?: string;
  readonly prepend?: string;
  readonly replacement?: string;
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** Whether a token is that of a byte. */
export const isByteToken = (token: string): boolean => /^<0x[0-9A-F]{2}>$/.test(token);

/** The parts of tokenizer.json that decide what a token stands for. */
export type SentencepieceJson = Omit<ByteLevelJson, 'model' | 'added_tokens'> & {
  readonly model: ByteLevelJson['model'] & {
    readonly byte_fallback?: boolean;
    readonly unk_token?: string | null;
  };
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly lstrip?: boolean;
    readonly rstrip?: boolean;
    readonly normalized?: boolean;
  }[];
};

const flat = (part: PartConfig | null | undefined): readonly PartConfig[] =>
  part ? (part.normalizers ?? part.pretokenizers ?? [part]) : [];

const replacesSpaces = ({ type, pattern, content }: PartConfig): boolean =>
  type === 'Replace' && pattern?.String === ' ' && content === spaceLetter;

/** Whether a tokenizer is BPE as sentencepiece has it. */
function isSentencepiece({ model, normalizer, pre_tokenizer: splitter }: SentencepieceJson): boolean {
  const normalizers = flat(normalizer as PartConfig | null | undefined);
  const splitters = flat(splitter as PartConfig | null | undefined);
  const isMetaspace = ({ type, replacement }: PartConfig) =>
    type === 'Metaspace' && (replacement ?? spaceLetter) === spaceLetter;
  return (
    model.type === 'BPE' &&
    model.byte_fallback === true &&
    !Array.isArray(model.vocab) &&
    !model.continuing_subword_prefix &&
    !model.end_of_word_suffix &&
    (normalizers.some(replacesSpaces) || splitters.some(isMetaspace)) &&
    normalizers.every(
      (part) => replacesSpaces(part) || (part.type === 'Prepend' && part.prepend === spaceLetter),
    ) &&
    // where a text is cut does not matter, only that nothing is lost there
    splitters.every((part) => isMetaspace(part) || (part.type === 'Split' && part.pattern?.String === ' '))
  );
}

/**
 * Ids of byte tokens that no text is cut into, because the vocabulary has the character itself: `<0x30>` beside `0`.
 * Of bytes of longer characters that is not asked.
 */
export function unusedByteTokens(json: SentencepieceJson): Set<number> {
  const unused = new Set<number>();
  if (!isSentencepiece(json)) return unused;
  const vocab = json.model.vocab as Readonly<Record<string, number>>;
  for (let byte = 0; byte < 0x80; byte++) {
    const id = vocab[byteToken(byte)];
    const letter = String.fromCharCode(byte).replace(' ', spaceLetter);
    if (id !== undefined && vocab[letter] !== undefined) unused.add(id);
  }
  return unused;
}

/**
 * Finds the first character of a text that a BPE tokenizer with some of its byte tokens cannot write, where it has no
 * token for the unknown and would leave the character out. Undefined for other tokenizers, which need no such look.
 */
export function unwritableFinder(
  json: SentencepieceJson,
): ((text: string) => string | undefined) | undefined {
  const { model, added_tokens: added } = json;
  if (!isSentencepiece(json) || model.unk_token != null) return undefined;
  const vocab = model.vocab as Readonly<Record<string, number>>;
  const known = new Map<string, boolean>();
  const utf8 = new TextEncoder();
  const isKnown = (letter: string): boolean => {
    let found = known.get(letter);
    if (found === undefined) {
      found =
        vocab[letter.replace(' ', spaceLetter)] !== undefined ||
        [...utf8.encode(letter)].every((byte) => vocab[byteToken(byte)] !== undefined);
      known.set(letter, found);
    }
    return found;
  };
  const tokens = addedPattern(added);
  return (text) =>
    text
      .split(tokens)
      .flatMap((part) => Array.from(part))
      .find((letter) => !isKnown(letter));
}

/** Added tokens in a text, the longest first, with the spaces that they swallow. */
function addedPattern(added: SentencepieceJson['added_tokens']): RegExp {
  const escaped = (content: string) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const forms = [...added]
    .sort((a, b) => b.content.length - a.content.length)
    .map(
      ({ content, lstrip, rstrip }) => `${lstrip ? '\\s*' : ''}${escaped(content)}${rstrip ? '\\s*' : ''}`,
    );
  // a pattern without alternatives would be found everywhere
  return new RegExp(forms.length > 0 ? forms.join('|') : '$^', 'g');
}

/**
 * The bytes of every token of a BPE tokenizer as sentencepiece has them (Llama 2, Mistral 7B, Phi-3, Gemma), by its id:
 * U+2581 is a space, and tokens such as `<0x0A>` are the bytes of characters that the vocabulary lacks. Whatever it
 * merges, the tokens of a text that has no U+2581, one after the other, are the bytes of the text, with a space more at
 * the beginning of its parts where the tokenizer puts one there. Without those of {@link unusedByteTokens}. Undefined
 * for other tokenizers, for those whose added tokens are looked for in a text that was changed, and for those that
 * lack some bytes and write what is unknown as a token of its own.
 */
export function sentencepieceVocabulary(json: SentencepieceJson): Map<number, Uint8Array> | undefined {
  const { model } = json;
  const vocab = model.vocab as Readonly<Record<string, number>>;
  const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byteToken(byte), byte]));
  const isKnown =
    isSentencepiece(json) &&
    json.added_tokens.every(({ normalized }) => !normalized) &&
    (model.unk_token == null || [...bytes.keys()].every((token) => vocab[token] !== undefined));
  if (!isKnown) return undefined;
  const utf8 = new TextEncoder();
  const unused = unusedByteTokens(json);
  const vocabulary = new Map<number, Uint8Array>();
  for (const [token, id] of Object.entries(vocab)) {
    if (unused.has(id)) continue;
    const byte = bytes.get(token);
    const text = token.replaceAll(spaceLetter, ' ');
    vocabulary.set(id, byte === undefined ? utf8.encode(text) : Uint8Array.of(byte));
  }
  for (const { id, content } of json.added_tokens) vocabulary.set(id, utf8.encode(content));
  return vocabulary;
}

/**
 * A text as a tokenizer reads it that puts a space at the beginning of each part: behind added tokens, which may
 * swallow the space around them.
 */
export function withPartSpaces(text: string, { added_tokens: added }: SentencepieceJson): string {
  if (added.length === 0) return text;
  return text.replace(addedPattern(added), (found) => `${found.trim()} `);
}
