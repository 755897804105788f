/**
 * The letter of each byte in a byte-level vocabulary: printable Latin-1 stands for itself, the others are moved
 * up from U+0100 in order (GPT-2's table).
 */
export function byteLetters(): string[] {
  let moved = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : moved++);
  });
}

interface PartConfig {
  readonly type: string;
  readonly pretokenizers?: readonly PartConfig[];
  readonly normalizers?: readonly PartConfig[];
  readonly add_prefix_space?: boolean;
}

/** The parts of tokenizer.json that decide what bytes a token stands for. */
export interface ByteLevelJson {
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>> | readonly unknown[];
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
  };
  readonly normalizer?: PartConfig | null;
  readonly pre_tokenizer?: PartConfig | null;
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
}

/**
 * The bytes of every token of a byte-level tokenizer by its id. Whatever it merges, the tokens of a text, one after
 * the other, are the bytes of the text (in Unicode's composed form NFC, if it normalizes). Undefined for tokenizers
 * of other kinds, for which that does not hold.
 */
export function byteVocabulary(json: ByteLevelJson): Map<number, Uint8Array> | undefined {
  const { model, pre_tokenizer: splitter, normalizer } = json;
  const splitters = splitter?.pretokenizers ?? (splitter ? [splitter] : []);
  const normalizers = normalizer?.normalizers ?? (normalizer ? [normalizer] : []);
  const isByteLevel =
    model.type === 'BPE' &&
    !Array.isArray(model.vocab) &&
    !model.continuing_subword_prefix &&
    !model.end_of_word_suffix &&
    splitters.some(({ type }) => type === 'ByteLevel') &&
    splitters.every(({ add_prefix_space: adds }) => !adds) &&
    normalizers.every(({ type }) => type === 'NFC');
  if (!isByteLevel) return undefined;
  const byteOf = new Map(byteLetters().map((letter, byte) => [letter, byte]));
  const vocabulary = new Map<number, Uint8Array>();
  for (const [token, id] of Object.entries(model.vocab as Record<string, number>)) {
    const bytes = Array.from(token, (letter) => byteOf.get(letter));
    // a token with other letters cannot come out of bytes
    if (!bytes.includes(undefined)) vocabulary.set(id, Uint8Array.from(bytes as number[]));
  }
  const utf8 = new TextEncoder();
  for (const { id, content } of json.added_tokens) vocabulary.set(id, utf8.encode(content));
  return vocabulary;
}
