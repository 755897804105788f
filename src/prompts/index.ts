export type { TokenSpan } from './answer-spans.js';
export { type EncoderCost, encoderCosts } from './encoder-costs.js';
export * from './errors.js';
export type { TextGrammar } from './grammar.js';
export { type GridEncoder, gridEncoderNames, parseGridEncoder } from './grid-encoder.js';
export { loadTokenizer } from './load-tokenizer.js';
export {
  type InferencePrompt,
  PromptBuilder,
  type PromptPart,
  type TrainingPrompt,
  type WantedAnswers,
} from './prompt-builder.js';
export {
  type ChatMessage,
  definePromptKind,
  findPromptKind,
  getPromptKind,
  isTemplateFile,
  type PromptGrids,
  type PromptKind,
  type PromptTask,
  promptKinds,
  type TemplateKind,
} from './prompt-kinds.js';
export { asksForGrid, hasCode, isAboutTest, needsOutputs, samplesShown } from './prompt-tasks.js';
export { kindsOfCut, promptVocabulary } from './prompt-vocabulary.js';
export type { ChatTokenizer } from './tokenizer.js';
