/** What a prompt kind is. */

/** What a prompt asks for: the output of a rule, or one more grid like those that are shown. */
export type PromptTask = 'output-from-examples' | 'input-from-inputs' | 'output-from-outputs';

/** A message of a chat. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/**
 * The grids of a prompt as a kind sees them: marks that stand for their texts, so that it is known where each of them
 * went. Which of them are set depends on the prompt's task.
 */
export interface PromptGrids {
  /** output-from-examples: the samples that show the rule. */
  readonly train?: readonly { readonly input: string; readonly output: string }[];
  /** output-from-examples: the input to apply the rule to. */
  readonly test?: string;
  /** input-from-inputs: the inputs to continue. */
  readonly inputs?: readonly string[];
  /** output-from-outputs: the outputs to continue. */
  readonly outputs?: readonly string[];
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
