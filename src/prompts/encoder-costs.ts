import type { Task } from '../arc/types.js';
import { parseGridEncoder } from './grid-encoder.js';
import { PromptBuilder } from './prompt-builder.js';
import type { PromptKind } from './prompt-kinds.js';
import type { ChatTokenizer } from './tokenizer.js';

/** What a grid encoder costs. */
export interface EncoderCost {
  readonly encoder: string;
  /** Tokens of a whole prompt with its answer: the mean and the largest over the tasks. */
  readonly tokensPerPrompt: number;
  readonly longestPrompt: number;
  /** Tokens of all grids divided by their cells. */
  readonly tokensPerCell: number;
  /** The part of the tasks whose prompt fits. */
  readonly fits: number;
}

/**
 * Counts the tokens that tasks take with each of several encoders.
 * @param maxSeqLen tokens that a prompt with its answer may have.
 * @throws {GridEncoderError} for an expression that is no encoder.
 */
export function encoderCosts(
  tasks: readonly Task[],
  encoders: readonly string[],
  { tokenizer, kind, maxSeqLen }: { tokenizer: ChatTokenizer; kind: PromptKind; maxSeqLen: number },
): EncoderCost[] {
  return encoders.map((expression) => {
    const encoder = parseGridEncoder(expression);
    const builder = new PromptBuilder({ tokenizer, encoder, kind });
    const lengths = tasks.map((task) => builder.training(task, 0).tokens.length);
    const grids = tasks.flatMap(({ train, test }) =>
      [...train, ...test].flatMap(({ input, output }) => (output ? [input, output] : [input])),
    );
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    return {
      encoder: expression,
      tokensPerPrompt: sum(lengths) / lengths.length,
      longestPrompt: Math.max(...lengths),
      tokensPerCell:
        sum(grids.map((grid) => tokenizer.encode(encoder.encode(grid)).length)) /
        sum(grids.map((grid) => grid.length * grid[0]!.length)),
      fits: lengths.filter((length) => length <= maxSeqLen).length / lengths.length,
    };
  });
}
