import type { Decoder } from '../models/decoder.js';
import type { LoraOptions } from '../models/lora.js';

/** A forward and backward pass. */
export interface PassShape {
  /** Of all samples that are packed together. */
  readonly tokens: number;
  /** Those of them that the loss counts. */
  readonly labels: number;
}

/**
 * Bytes that the activations and gradients of one pass take at their peak, beside the weights: an estimate from the
 * shape of the model. What is kept of a layer for the gradient are the inputs of its products, norms and activations;
 * with gradient checkpointing its input alone, and those of one layer at a time.
 */
export function trainingBytes(
  {
    config,
    floatType,
    lora,
    cut,
  }: Pick<Decoder, 'config' | 'floatType' | 'cut'> & {
    readonly lora: Pick<LoraOptions, 'rank' | 'targetModules' | 'modulesToSave'> | undefined;
  },
  { tokens, labels }: PassShape,
  { checkpointing }: { checkpointing: boolean },
): number {
  const { hiddenSize: d, intermediateSize: f, numHiddenLayers: layers, headDim } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const width = floatType === 'float32' ? 4 : 2;
  const vocabulary = cut?.kept.length ?? config.vocabSize;
  // residuals, norms and what is added to them; queries, keys and values before and after their positions, and what
  // attention gives; gate, up, their product and its gradient; for each projection the adapter's middle
  const layer = 12 * d + 3 * queries + 4 * keys + 4 * f + 7 * (lora?.rank ?? 0);
  const kept = checkpointing ? layers * d + 2 * layer : layers * layer;
  // logits of labels and their gradient, in float32
  const head = 2 * labels * vocabulary * 4;
  return tokens * kept * width + head + tableBytes(lora, vocabulary, d);
}

/**
 * The gradients of embeddings and head, in float32: of their adapters, and of tables that are trained as a whole, which
 * are as large as the tables. Those of the projections' adapters are small beside the activations.
 */
function tableBytes(
  lora: Pick<LoraOptions, 'rank' | 'targetModules' | 'modulesToSave'> | undefined,
  vocabulary: number,
  width: number,
): number {
  const tables = (names: readonly string[] = []) =>
    names.filter((name) => /(^|\.)(embed_tokens|lm_head)$/.test(name)).length;
  const adapters = tables(lora?.targetModules) * (lora?.rank ?? 0) * (vocabulary + width);
  return 4 * (adapters + tables(lora?.modulesToSave) * vocabulary * width);
}
