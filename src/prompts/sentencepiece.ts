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

/** The parts of tokenizer.json that decide what a token stands for. */
export type SentencepieceJson = Omit<ByteLevelJson, 'model' | 'added_tokens'> & {
  readonly model: ByteLevelJson['model'] & { readonly byte_fallback?: boolean };
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

/**
 * The bytes of every token of a BPE tokenizer as sentencepiece has them (Llama 2, Mistral 7B, Phi-3, Gemma), by its id:
 * U+2581 is a space, and tokens such as `<0x0A>` are the bytes of characters that the vocabulary lacks. Whatever it
 * merges, the tokens of a text that has no U+2581, one after the other, are the bytes of the text, with a space more at
 * the beginning of its parts where the tokenizer puts one there. Undefined for other tokenizers, and for those whose
 * added tokens are looked for in a text that was changed.
 */
export function sentencepieceVocabulary(json: SentencepieceJson): Map<number, Uint8Array> | undefined {
  const { model } = json;
  const normalizers = flat(json.normalizer as PartConfig | null | undefined);
  const splitters = flat(json.pre_tokenizer as PartConfig | null | undefined);
  const vocab = model.vocab as Readonly<Record<string, number>>;
  const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byteToken(byte), byte]));
  const isMetaspace = ({ type, replacement }: PartConfig) =>
    type === 'Metaspace' && (replacement ?? spaceLetter) === spaceLetter;
  const isKnown =
    model.type === 'BPE' &&
    model.byte_fallback === true &&
    !Array.isArray(model.vocab) &&
    !model.continuing_subword_prefix &&
    !model.end_of_word_suffix &&
    [...bytes.keys()].every((token) => vocab[token] !== undefined) &&
    (normalizers.some(replacesSpaces) || splitters.some(isMetaspace)) &&
    normalizers.every(
      (part) => replacesSpaces(part) || (part.type === 'Prepend' && part.prepend === spaceLetter),
    ) &&
    // where a text is cut does not matter, only that nothing is lost there
    splitters.every((part) => isMetaspace(part) || (part.type === 'Split' && part.pattern?.String === ' ')) &&
    json.added_tokens.every(({ normalized }) => !normalized);
  if (!isKnown) return undefined;
  const utf8 = new TextEncoder();
  const vocabulary = new Map<number, Uint8Array>();
  for (const [token, id] of Object.entries(vocab)) {
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
  const tokens = [...added].sort((a, b) => b.content.length - a.content.length);
  if (tokens.length === 0) return text;
  const escaped = (content: string) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const pattern = tokens
    .map(({ content, lstrip, rstrip }) => `${lstrip ? '\\s*' : ''}${escaped(content)}${rstrip ? '\\s*' : ''}`)
    .join('|');
  return text.replace(new RegExp(pattern, 'g'), (found) => `${found.trim()} `);
}
