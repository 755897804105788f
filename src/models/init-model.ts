import { join } from 'node:path';
import { writeFileAtomic } from '../common/files.js';
import { Rng } from '../common/rng.js';
import { parseConfig } from './config.js';
import { type TensorToWrite, writeSafetensors } from './safetensors.js';
import { assertNewFolder, writeFolder } from './save.js';
import { weightShapes } from './weights.js';

/** The shape of a new model. */
export interface InitModelOptions {
  outputDir: string;
  architecture?: 'qwen2' | 'llama';
  hiddenSize?: number;
  numLayers?: number;
  numHeads?: number;
  numKeyValueHeads?: number;
  /** By default the multiple of 64 at or above 8/3 · hiddenSize, as much as a plain block of 4 · hiddenSize. */
  intermediateSize?: number;
  vocabSize?: number;
  maxPositionEmbeddings?: number;
  ropeTheta?: number;
  tieWordEmbeddings?: boolean;
  seed?: number;
  /**
   * Writes the tokenizer's files into the folder and returns how many tokens it has; without it the folder has
   * no tokenizer.
   */
  writeTokenizer?: (folder: string, options: { vocabSize: number }) => number;
}

/**
 * Writes a Hugging Face folder with random weights, for small models: embeddings normal with standard deviation
 * 0.02, projections with 1/√(their inputs), those back into the residual stream smaller by √(2 · layers), norms 1.
 * Biases of queries and keys are normal with deviation 1: under rotary embeddings each head then looks at
 * distances of its own from the start. With zeros a model of a million weights takes thousands of steps to find
 * that an output cell lies a fixed distance behind its input cell.
 * @returns the number of weights
 * @throws {ModelFileError} when the shape is impossible or the folder is not empty
 */
export function initModel(options: InitModelOptions): number {
  const {
    outputDir,
    architecture = 'qwen2',
    hiddenSize = 128,
    numLayers = 4,
    numHeads = Math.max(1, Math.round(hiddenSize / 32)),
    numKeyValueHeads = numHeads % 2 === 0 ? numHeads / 2 : numHeads,
    intermediateSize = Math.ceil((hiddenSize * 8) / 3 / 64) * 64,
    maxPositionEmbeddings = 8192,
    ropeTheta = 10000,
    tieWordEmbeddings = true,
    seed = 0,
    writeTokenizer,
  } = options;
  const requested = options.vocabSize ?? 512;
  const configOf = (vocabSize: number): Record<string, unknown> => ({
    architectures: [architecture === 'llama' ? 'LlamaForCausalLM' : 'Qwen2ForCausalLM'],
    model_type: architecture,
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: numLayers,
    num_attention_heads: numHeads,
    num_key_value_heads: numKeyValueHeads,
    ...(architecture === 'llama' ? { head_dim: hiddenSize / numHeads } : {}),
    hidden_act: 'silu',
    max_position_embeddings: maxPositionEmbeddings,
    rms_norm_eps: 1e-6,
    rope_theta: ropeTheta,
    tie_word_embeddings: tieWordEmbeddings,
    initializer_range: 0.02,
    torch_dtype: 'float32',
    use_cache: true,
  });
  parseConfig(configOf(requested), 'init-model');
  assertNewFolder(outputDir);
  let count = 0;
  writeFolder(outputDir, (folder) => {
    const tokens = writeTokenizer?.(folder, { vocabSize: requested }) ?? requested;
    // a round table size is faster; ids above the tokenizer's are never used
    const config = configOf(writeTokenizer ? Math.ceil(tokens / 8) * 8 : requested);
    const shapes = weightShapes(parseConfig(config, 'init-model'));
    const tensors = Array.from(shapes, ([name, shape]): [string, TensorToWrite] => {
      count += shape.reduce((product, n) => product * n, 1);
      return [name, { shape, dtype: 'F32', values: () => draw(name, shape, numLayers, seed) }];
    });
    writeSafetensors(join(folder, 'model.safetensors'), tensors);
    writeFileAtomic(join(folder, 'config.json'), JSON.stringify(config, null, 2) + '\n');
  });
  return count;
}

function draw(name: string, shape: readonly number[], numLayers: number, seed: number): Float32Array {
  const size = shape.reduce((product, n) => product * n, 1);
  if (name.endsWith('norm.weight')) return new Float32Array(size).fill(1);
  // a stream for each tensor, so that a model with more layers begins like one with fewer
  const rng = Rng.of(seed, 'init-model', name);
  return Float32Array.from({ length: size }, () => rng.normal(0, deviation(name, shape, numLayers)));
}

/** The standard deviation of a tensor's weights. */
function deviation(name: string, shape: readonly number[], numLayers: number): number {
  if (/\.[qk]_proj\.bias$/.test(name)) return 1;
  if (name.endsWith('.bias')) return 0;
  if (!/_proj\./.test(name)) return 0.02;
  const plain = 1 / Math.sqrt(shape[1] as number);
  return /\.(o_proj|down_proj)\./.test(name) ? plain / Math.sqrt(2 * numLayers) : plain;
}
