/** The flows a person runs. */
export * from './check-submission.js';
export * from './compare.js';
export * from './doctor.js';
export * from './evaluate.js';
export * from './fine-tune.js';
export * from './generate-inputs.js';
export * from './generate-tasks.js';
export {
  type DecodingOptions,
  type GenerationHooks,
  type InferOptions,
  type InferResult,
  infer,
  inferDefaults,
} from './infer.js';
export {
  type InferEvaluateOptions,
  type InferEvaluateResult,
  inferEvaluate,
} from './infer-evaluate.js';
export * from './merge-lora.js';
export { type ModelOptions, modelDefaults } from './model-session.js';
export type { AugmentationToggles } from './predictions.js';
export * from './score.js';
export * from './start.js';
export * from './submit.js';
export * from './temperature-study.js';
export { type TestTimeFineTuneOptions, testTimeFineTune } from './test-time-fine-tune.js';
export * from './vote.js';
