import { UserError } from '../common/errors.js';
import type { Folder } from '../common/folder.js';
import { formatMebibytes } from '../common/format-bytes.js';
import type { Rng } from '../common/rng.js';
import { OutOfMemoryError } from '../tensors/errors.js';
import { assertFloatType, computeType, type FloatType } from '../tensors/float-type.js';
import { advisingOnMemory } from '../tensors/memory-advice.js';
import { hasKernel, quantizeRows } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { addAdapter, assertLoraFits } from './adapter.js';
import { adapterOf } from './adapter-files.js';
import { attachAdapter } from './attach.js';
import { configOf, type DecoderConfig } from './config.js';
import { Decoder } from './decoder.js';
import { Int8Weight } from './int8-weight.js';
import type { MatrixSource } from './layer.js';
import type { LoraOptions } from './lora.js';
import { VocabularyCut } from './vocabulary-cut.js';
import { DenseWeight } from './weight.js';
import { vocabularyWeights } from './weight-names.js';
import { adapterBase, assertModelFolder, ModelWeights, modelShapes } from './weights.js';

/** What to load besides the base, and what training may change. */
export interface BuildOptions {
  /** A PEFT adapter for this base. */
  adapter?: Folder;
  /** Makes a fresh adapter; not together with `adapter`. */
  lora?: LoraOptions;
  /** `none` unless `lora` is given, then `adapter`. */
  trainable?: 'adapter' | 'all' | 'none';
  /** Draws the fresh adapter. */
  rng?: Rng;
  /** Folds the adapter into the weights after loading, which makes generation faster. */
  merge?: boolean;
  /** Ids of the tokens to keep in embeddings and head, ascending; all when absent. */
  vocabulary?: Int32Array;
  /**
   * What to compute in and keep frozen weights in; what is trained stays float32. `torch` has the narrow ones, and
   * `webgpu` keeps frozen matrices and the cache in them and computes in float32.
   */
  floatType?: FloatType;
  /** What the matrices of projections are rounded to; they are not trained then. `torch` and `webgpu` keep them so. */
  weights?: 'int8';
}

/**
 * Loads a Hugging Face model (config.json and safetensors), with an adapter if one is given. Everything that
 * can be checked from the headers of the files is checked before the first weight is read.
 * @throws {UserError} naming the file and what is wrong with it
 */
export async function decoderOf(folder: Folder, options: BuildOptions = {}): Promise<Decoder> {
  const { adapter: adapterFolder, lora, rng, merge = false, floatType = 'float32' } = options;
  const trainable = options.trainable ?? (lora ? 'adapter' : 'none');
  if (adapterFolder && lora) throw new UserError('give either adapterPath or lora, not both');
  if (lora && !rng) throw new UserError('a fresh adapter needs an rng');
  if (trainable === 'adapter' && !adapterFolder && !lora) {
    throw new UserError('trainable "adapter" needs an adapterPath or lora options');
  }
  if (trainable === 'all' && (lora || (adapterFolder && !merge))) {
    throw new UserError('trainable "all" changes the base: merge the adapter, or train only the adapter');
  }
  assertFloatType(floatType);
  if (options.weights) assertRounded(trainable);
  assertModelFolder(folder);
  const given = configOf(folder);
  const base = adapterBase(folder, given);
  const adapter = adapterFolder && adapterOf(adapterFolder, base);
  if (lora) assertLoraFits(lora, base, options.vocabulary !== undefined);
  const files = new ModelWeights(folder, given);
  const cut = options.vocabulary && new VocabularyCut(options.vocabulary, given.vocabSize);
  const made: tf.Tensor[] = [];
  const source = (name: string): tf.Tensor => {
    const tensor = files.tensor(name, { cut, ...(trainable === 'all' ? {} : { floatType }) });
    const weight = trainable === 'all' ? tf.variable(tensor, true) : tensor;
    if (weight !== tensor) tensor.dispose();
    made.push(weight);
    return weight;
  };
  let decoder: Decoder | undefined;
  try {
    const computed = computeType(floatType);
    const width = trainable === 'all' || floatType === 'float32' ? 4 : 2;
    assertEachFits(folder.name, given, cut, { rounded: options.weights, width });
    const tieWordEmbeddings = given.tieWordEmbeddings && !files.hasOwnHead;
    const matrices = options.weights && roundedFrom(files, computed, made);
    decoder = new Decoder({ ...given, tieWordEmbeddings }, source, {
      cut,
      floatType: computed,
      keptType: floatType,
      matrices,
    });
    decoder.storedType = files.storedType;
    decoder.source = folder;
    await assertPlaced(folder.name, cut);
    if (adapter) {
      await attachAdapter(decoder, adapter, {
        merge: merge ? 'replace' : 'never',
        trainable: trainable === 'adapter',
      });
      if (trainable === 'all') trainWeightsOf(decoder);
    }
    if (lora) await addAdapter(decoder, lora, rng!);
    return decoder;
  } catch (error) {
    // another adapter, or none, may be tried, and needs the memory
    if (decoder) decoder.dispose();
    else tf.dispose(made);
    throw error;
  } finally {
    files.close();
  }
}

/** What a backend says that has limits of memory. */
interface HasLimits {
  /** In bytes. */
  readonly largestTensor: number;
  /** In bytes, where that is known. */
  readonly totalMemory: number | undefined;
  readonly deviceName: string;
  /** Resolves when the device has said that it has memory for every tensor; otherwise throws {@link OutOfMemoryError}. */
  settled(): Promise<void>;
}

/** What needs less memory for weights. */
const lighter = (cut: VocabularyCut | undefined): string =>
  `${cut ? '' : '`pruneVocab`, '}a smaller model, or another \`device\` or \`backend\``;

/** @throws {OutOfMemoryError} where a device had no memory for the weights, which it says after it was given them */
async function assertPlaced(folder: string, cut: VocabularyCut | undefined): Promise<void> {
  const backend = tf.backend() as Partial<HasLimits>;
  await advisingOnMemory(
    async () => backend.settled?.(),
    () => `the weights of ${folder}`,
    () => [lighter(cut)],
  );
}

/**
 * @throws {OutOfMemoryError} where the backend has a largest tensor, and a weight is larger, or all weights together do
 * not fit its memory: before any is read
 */
function assertEachFits(
  folder: string,
  config: DecoderConfig,
  cut: VocabularyCut | undefined,
  { rounded, width: matrixWidth }: { rounded: BuildOptions['weights']; width: number },
): void {
  const { largestTensor, deviceName, totalMemory } = tf.backend() as Partial<HasLimits>;
  if (largestTensor === undefined) return;
  const tables = Object.values(vocabularyWeights(config));
  const { weights, projections } = modelShapes(config);
  let total = 0;
  for (const [name, shape] of weights) {
    const isTable = tables.includes(name);
    const kept = cut && isTable ? [cut.kept.length, shape[1]!] : [...shape];
    const width = rounded && projections.has(name.replace(/\.weight$/, '')) ? 1 : matrixWidth;
    // vectors stay in float32
    const bytes = (kept.length === 2 ? width : 4) * tf.util.sizeFromShape(kept);
    total += bytes;
    if (bytes <= largestTensor) continue;
    throw new OutOfMemoryError(
      `${folder}: ${name} [${kept.join(', ')}] takes ${formatMebibytes(bytes)}, and ${deviceName} allows ${formatMebibytes(largestTensor)} in one ` +
        `tensor; ${isTable && !cut ? 'use `pruneVocab`, ' : 'use '}a smaller model, or another \`device\` or \`backend\``,
    );
  }
  if (totalMemory === undefined || total <= totalMemory) return;
  throw new OutOfMemoryError(
    `${folder}: its weights take ${formatMebibytes(total)}, and ${deviceName} has ${formatMebibytes(totalMemory)} in all; use ` +
      lighter(cut),
  );
}

/** @throws {UserError} where rounded matrices cannot be kept, or what is rounded is trained */
function assertRounded(trainable: BuildOptions['trainable']): void {
  if (!hasKernel('QuantizedLinear')) {
    throw new UserError(
      `\`weights: int8\`: the backend ${tf.getBackend()} keeps weights in float32 only; choose \`backend: torch\`, or ` +
        'leave out `weights`',
    );
  }
  if (trainable !== 'all') return;
  throw new UserError(
    '`weights: int8`: weights that are rounded cannot be trained; train an adapter (`useLora`), or leave out `weights`',
  );
}

/** Rounds matrices to int8 as they are read, so that no more than one of them is ever whole. */
function roundedFrom(files: ModelWeights, floatType: FloatType, made: tf.Tensor[]): MatrixSource {
  return (name, [out, input]) => {
    if (input % 4 !== 0) {
      throw new UserError(
        `\`weights: int8\`: expected matrices whose width is a multiple of 4, found ${name} [${out}, ${input}]; leave ` +
          'out `weights`',
      );
    }
    const { words, scales } = quantizeRows(files.values(name).values, input);
    const matrix = { words: tf.tensor2d(words, [out, input / 4], 'int32'), scales: tf.tensor1d(scales) };
    made.push(matrix.words, matrix.scales);
    return new Int8Weight(matrix, floatType);
  };
}

/** Makes variables of weights that a merge has made anew. */
function trainWeightsOf(decoder: Decoder): void {
  for (const matrix of decoder.matrices()) {
    const { weight } = matrix;
    if (!weight.changed) continue;
    const dense = weight.dense();
    matrix.weight = new DenseWeight(tf.variable(dense, true), { changed: true });
    dense.dispose();
    weight.dispose();
  }
  for (const vector of decoder.parts().flatMap((part) => part.vectors)) {
    if (vector.changed) vector.reset(tf.variable(vector.base, true), { changed: true });
  }
}
