/** What a prompt kind is. */

/**
 * What a prompt asks for: the output of a rule, one more grid like those that are shown, the rule as code, what code
 * makes of an input, whether a candidate is the output, or which of several candidates is.
 */
export type PromptTask =
  | 'output-from-examples'
  | 'input-from-inputs'
  | 'output-from-outputs'
  | 'code-from-examples'
  | 'output-from-code'
  | 'verify-output-from-examples'
  | 'select-output-from-examples';

/** A message of a chat. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** The parts of a prompt. Which of them are set depends on its task. */
export interface Shown<T> {
  /** The samples that show the rule. */
  readonly train?: readonly { readonly input: T; readonly output: T }[];
  /** The input that the prompt is about. */
  readonly test?: T;
  /** input-from-inputs: the inputs to continue. */
  readonly inputs?: readonly T[];
  /** output-from-outputs: the outputs to continue. */
  readonly outputs?: readonly T[];
  /** output-from-code: the rule as code. */
  readonly code?: T;
  /** verify-output-from-examples: what may be the output. */
  readonly candidate?: T;
  /** select-output-from-examples: grids of which one is the output. */
  readonly candidates?: readonly T[];
}

/**
 * The grids (and code) of a prompt as a kind sees them: marks that stand for their texts, so that it is known where
 * each of them went.
 */
export interface PromptGrids extends Shown<string> {
  /** What the prompt asks for: the end of its last turn. */
  readonly answer: string;
}

/** A way of asking: the turns of a conversation. */
export interface PromptKind {
  readonly name: string;
  readonly task: PromptTask;
  /**
   * Turns of user and assistant alone, written with the chat template's markers of turns and nothing else of it: no
   * system message, date or block of thoughts. A vocabulary that is cut for such kinds has hardly more than digits.
   */
  readonly plainTurns?: boolean;
  /** The turns around grids. The last is the assistant's and ends with the answer. */
  turns(grids: PromptGrids): readonly ChatMessage[];
}
