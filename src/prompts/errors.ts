import { UserError } from '../common/errors.js';

/** What is wrong with a text that should hold a grid. */
export type GridParseReason = 'fence' | 'shape' | 'row-number' | 'cell' | 'ragged' | 'size';

/** A text is not the encoding of a grid: `reason` says in which way. */
export class GridParseError extends UserError {
  override name = 'GridParseError';

  constructor(
    readonly reason: GridParseReason,
    message: string,
  ) {
    super(`Not a grid (${reason}): ${message}`);
  }
}

/** A grid encoder expression that cannot be read. */
export class GridEncoderError extends UserError {
  override name = 'GridEncoderError';
}

/** A prompt kind that is not registered, or a template that does not give what a kind needs. */
export class PromptKindError extends UserError {
  override name = 'PromptKindError';
}

/** A task lacks what the prompt is to show or to learn. */
export class PromptTaskError extends UserError {
  override name = 'PromptTaskError';
}

/** A model folder's tokenizer files are missing or broken. */
export class TokenizerError extends UserError {
  override name = 'TokenizerError';
}

/** The tokens that prompts can have cannot be told for this tokenizer or grid encoder. */
export class PromptVocabularyError extends UserError {
  override name = 'PromptVocabularyError';
}

/** Where the answers within a prompt are cannot be told from its tokens. */
export class AnswerSpanError extends UserError {
  override name = 'AnswerSpanError';
}
