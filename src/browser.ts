/**
 * The part of arclab that runs in a web page, imported as `arclab/browser`: tensors on the GPU of the page's
 * `navigator.gpu`, models from files in memory, training step by step, and generation. Nothing of it, nor of what it
 * stands on, needs Node.
 *
 * @example
 * import { generate, initWebGpu, loadDecoder, loadTokenizer } from 'arclab/browser';
 * await initWebGpu();
 * const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
 * const read = async (name: string) => [name, await (await fetch(`models/base/${name}`)).arrayBuffer()] as const;
 * const files = Object.fromEntries(await Promise.all(names.map(read)));
 * const decoder = await loadDecoder(files);
 * const tokenizer = loadTokenizer(files);
 * const prompt = { tokens: tokenizer.encode('1 2 3'), samples: 1, stream: 'example' };
 * const [[answer]] = await generate(decoder, tokenizer, [prompt], { maxNewTokens: 8, temperature: 0, seed: 7 });
 */
export { UserError } from './common/errors.js';
export { Rng } from './common/rng.js';
// Generation
export type { SamplingOptions } from './generation/choice.js';
export {
  type Completion,
  type GenerateOptions,
  type GenerationProgress,
  type GenerationRequest,
  generate,
} from './generation/engine.js';
// Models
export { addAdapter } from './models/adapter.js';
export type { AdapterState } from './models/adapter-state.js';
export { adapterState, attachAdapter, detachAdapter } from './models/attach.js';
export type { DecoderConfig } from './models/config.js';
export { Decoder } from './models/decoder.js';
export { KvCache } from './models/kv-cache.js';
export type { LoraInit, LoraOptions } from './models/lora.js';
export { type FilesInMemory, type LoadOptions, loadDecoder } from './models/memory.js';
export { type PackedTokens, packSequences } from './models/packed-tokens.js';
export { loadTokenizer } from './prompts/memory.js';
export type { ChatTokenizer } from './prompts/tokenizer.js';
// Tensors: `tf` is tfjs-core with our backend
export * as tf from './tensors/tf.js';
export { initWebGpu, type WebGpuOptions } from './tensors/webgpu/navigator.js';
export type { TrainingSample } from './training/sample.js';
// Training
export { learningRateSchedule, type ScheduleName, type ScheduleOptions } from './training/schedules.js';
export { type Samples, type StepReport, Trainer, type TrainerOptions } from './training/trainer.js';
