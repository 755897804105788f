/** Generation: many prompts, many answers, one KV cache. */

export type { SamplingOptions } from './choice.js';
export {
  type Completion,
  type GenerateOptions,
  type GenerationProgress,
  type GenerationRequest,
  generate,
} from './engine.js';
export * from './errors.js';
export { type AnsweredPrompt, type AnswerScore, scoreAnswers } from './scoring.js';
export type { GenerationTokenizer } from './vocabulary.js';
