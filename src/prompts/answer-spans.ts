import { AnswerSpanError } from './errors.js';

/** A stretch of tokens: from the first up to, and without, the second. */
export type TokenSpan = readonly [start: number, end: number];

/** A part of a text, and whether it is an answer. */
export interface TextPart {
  readonly text: string;
  readonly isAnswer: boolean;
}

/**
 * Which tokens of a text are its answers, by their bytes: from the token that holds an answer's first byte
 * to the one that holds its last, which is what the offsets of tokens say in transformers.
 * @param bytesOf how many bytes of the text a token stands for
 * @throws {AnswerSpanError} when the tokens are not the bytes of the text
 */
export function spansOfAnswers(
  tokens: readonly number[],
  parts: readonly TextPart[],
  bytesOf: (id: number) => number | undefined,
): TokenSpan[] {
  const spans: TokenSpan[] = [];
  let token = 0;
  /** Bytes before `token`. */
  let before = 0;
  let at = 0;
  const size = (i: number) => bytesOf(tokens[i]!) ?? 0;
  /** Moves to the token that holds a byte. */
  const moveTo = (byte: number) => {
    while (token < tokens.length && before + size(token) <= byte) before += size(token++);
    return token;
  };
  for (const { text, isAnswer } of parts) {
    const end = at + Buffer.byteLength(text);
    if (isAnswer && end > at) spans.push([Math.max(moveTo(at), spans.at(-1)?.[1] ?? 0), moveTo(end - 1) + 1]);
    at = end;
  }
  if (moveTo(at) < tokens.length || before !== at) {
    throw new AnswerSpanError(
      `\`lossOn: every-answer\`: expected tokens that are the bytes of the prompt (${at}), found ${before} bytes, ` +
        'because the tokenizer rewrites the text; use another grid encoder or `lossOn: last-answer`',
    );
  }
  return spans;
}
