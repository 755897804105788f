export { encoderCosts } from './encoder-costs.js';
export * from './errors.js';
export { type GridEncoder, gridEncoderNames, parseGridEncoder } from './grid-encoder.js';
export { loadTokenizer } from './load-tokenizer.js';
export { PromptBuilder } from './prompt-builder.js';
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
} from './prompt-kinds.js';
export { asksForGrid, hasCode } from './prompt-tasks.js';
export { kindsOfCut, promptVocabulary } from './prompt-vocabulary.js';
export type { ChatTokenizer } from './tokenizer.js';
