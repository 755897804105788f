import { join } from 'node:path';
import { writeJson } from '../common/files.js';
import { OptionError } from '../common/option-names.js';
import { Rng } from '../common/rng.js';
import { initModelOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import { parseConfig } from './config.js';
import type { DecoderConfig } from './decoder-config.js';
import { familyOf, knownFamilies } from './families/index.js';
import { type TensorToWrite, writeSafetensors } from './safetensors.js';
import { assertNewFolder, startFolder } from './save.js';
import { weightShapes } from './weights.js';

/** The shape of a new model. */
export type InitModelOptions = OptionsOf<typeof initModelOptions.table> & {
  /**
   * Writes the tokenizer's files into the folder and returns how many tokens it has; without it the folder has
   * no tokenizer.
   */
  writeTokenizer?: (folder: string, options: { vocabSize: number }) => number;
};

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
  const { writeTokenizer, ...given } = options;
  const o = initModelOptions.check(given);
  const family = familyOf(o.architecture);
  if (!family) {
    throw new OptionError('architecture', { expected: `one of ${knownFamilies()}`, found: o.architecture });
  }
  const { outputDir, hiddenSize, numLayers, seed } = o;
  const numHeads = o.numHeads ?? Math.max(1, Math.round(hiddenSize / 32));
  // as many weights as a plain block of 4 · hiddenSize has
  const intermediateSize = o.intermediateSize ?? Math.ceil((hiddenSize * 8) / 3 / 64) * 64;
  const configOf = (vocabSize: number): Record<string, unknown> => ({
    architectures: [family.architecture],
    model_type: family.modelType,
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: numLayers,
    num_attention_heads: numHeads,
    num_key_value_heads: o.numKeyValueHeads ?? (numHeads % 2 === 0 ? numHeads / 2 : numHeads),
    ...family.newSettings?.({ hiddenSize, numHeads }),
    ...(family.activation ? { [family.activation.setting]: family.activation.name } : { hidden_act: 'silu' }),
    max_position_embeddings: o.maxPositionEmbeddings,
    rms_norm_eps: 1e-6,
    rope_theta: o.ropeTheta,
    tie_word_embeddings: o.tieWordEmbeddings,
    initializer_range: 0.02,
    torch_dtype: 'float32',
    use_cache: true,
  });
  parseConfig(configOf(o.vocabSize), 'init-model');
  assertNewFolder(outputDir);
  let count = 0;
  const made = startFolder(outputDir);
  try {
    const { target: folder } = made;
    const tokens = writeTokenizer?.(folder, { vocabSize: o.vocabSize }) ?? o.vocabSize;
    // a round table size is faster; ids above the tokenizer's are never used
    const config = configOf(writeTokenizer ? Math.ceil(tokens / 8) * 8 : o.vocabSize);
    const parsed = parseConfig(config, 'init-model');
    const shapes = weightShapes(parsed);
    const tensors = Array.from(shapes, ([name, shape]): [string, TensorToWrite] => {
      count += shape.reduce((product, n) => product * n, 1);
      return [name, { shape, dtype: 'F32', values: () => draw(name, shape, parsed, seed) }];
    });
    writeSafetensors(join(folder, 'model.safetensors'), tensors);
    writeJson(join(folder, 'config.json'), config);
    made.keep();
  } finally {
    made.close();
  }
  return count;
}

function draw(
  name: string,
  shape: readonly number[],
  { numHiddenLayers: numLayers, unitOffsetNorm }: DecoderConfig,
  seed: number,
): Float32Array {
  const size = shape.reduce((product, n) => product * n, 1);
  if (name.endsWith('norm.weight')) return new Float32Array(size).fill(unitOffsetNorm ? 0 : 1);
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
