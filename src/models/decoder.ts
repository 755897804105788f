import { Rng } from '../common/rng.js';
import { type FloatType, toFloatType } from '../tensors/float-type.js';
import { checkpoint, isRecording } from '../tensors/gradients.js';
import {
  cachedAttention,
  embedding,
  headLogProbs,
  kvCacheWrite,
  packedAttention,
  project,
  rmsNorm,
  rotaryEmbedding,
  swiGlu,
} from '../tensors/kernels/index.js';
import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './config.js';
import type { KvCache } from './kv-cache.js';
import { type LoraOptions, type Pass, Projection } from './lora.js';
import type { PackedTokens } from './packed-tokens.js';
import { RotaryTable } from './rotary-table.js';
import type { VocabularyCut } from './vocabulary-cut.js';

/** One block: attention and a gated feed-forward, each after a norm and added to its input. */
export interface DecoderLayer {
  inputNorm: tf.Tensor1D;
  query: Projection;
  key: Projection;
  value: Projection;
  output: Projection;
  postAttentionNorm: tf.Tensor1D;
  gate: Projection;
  up: Projection;
  down: Projection;
}

/** How a layer's queries meet keys and values: q [n, H, D], k and v [n, Hkv, D] → [n, H, D]. */
type Attend = (layer: number, q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D) => tf.Tensor3D;

/** Hands out the weights by their Hugging Face names. */
export type WeightSource = (name: string, shape: number[]) => tf.Tensor;

/**
 * A decoder-only transformer as Qwen2 and Llama are: rotary positions, grouped key-value heads, RMSNorm before
 * each half of a block, SwiGLU. Tokens of several samples lie in one row [n], nothing is padded, and a layer
 * gives back everything but its output, so that a forward pass holds one layer at a time.
 */
export class Decoder {
  readonly config: DecoderConfig;
  /** What hidden states, keys and values are kept in; trained weights stay float32 and are converted where used. */
  readonly floatType: FloatType;
  /** Where the weights came from: a folder or a hub id, written into adapters. */
  source = '';
  /** What the adapter is, when there is one. */
  lora: LoraOptions | undefined;
  /** In training, keep of each layer only its input, and run it again for the gradient: less memory, more time. */
  gradientCheckpointing = false;
  /** The type of the weights in the files that they came from: the one to save them in. */
  storedType: FloatType = 'float32';
  readonly embedTokens: tf.Tensor2D;
  readonly layers: readonly DecoderLayer[];
  readonly norm: tf.Tensor1D;
  /** The tokens that embeddings and head have rows for, when it is not all of the configuration's. */
  readonly cut: VocabularyCut | undefined;
  /** [V, d]; the same tensor as `embedTokens` when they are tied. */
  readonly head: tf.Tensor2D;
  readonly #rotary: RotaryTable;

  constructor(
    config: DecoderConfig,
    weights: WeightSource,
    { cut, floatType = 'float32' }: { cut?: VocabularyCut | undefined; floatType?: FloatType } = {},
  ) {
    this.config = config;
    this.cut = cut;
    this.floatType = floatType;
    const { hiddenSize: d, intermediateSize: f, headDim } = config;
    const vocabSize = cut?.kept.length ?? config.vocabSize;
    const queries = config.numAttentionHeads * headDim;
    const keys = config.numKeyValueHeads * headDim;
    const vector = (name: string) => weights(name, [d]) as tf.Tensor1D;
    const projection = (name: string, out: number, input: number, bias: boolean) =>
      new Projection(
        name,
        weights(`${name}.weight`, [out, input]) as tf.Tensor2D,
        bias ? (weights(`${name}.bias`, [out]) as tf.Tensor1D) : undefined,
      );
    this.embedTokens = weights('model.embed_tokens.weight', [vocabSize, d]) as tf.Tensor2D;
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, i) => {
      const at = `model.layers.${i}`;
      const inputBias = config.attentionInputBias;
      return {
        inputNorm: vector(`${at}.input_layernorm.weight`),
        query: projection(`${at}.self_attn.q_proj`, queries, d, inputBias),
        key: projection(`${at}.self_attn.k_proj`, keys, d, inputBias),
        value: projection(`${at}.self_attn.v_proj`, keys, d, inputBias),
        output: projection(`${at}.self_attn.o_proj`, d, queries, config.attentionOutputBias),
        postAttentionNorm: vector(`${at}.post_attention_layernorm.weight`),
        gate: projection(`${at}.mlp.gate_proj`, f, d, config.mlpBias),
        up: projection(`${at}.mlp.up_proj`, f, d, config.mlpBias),
        down: projection(`${at}.mlp.down_proj`, d, f, config.mlpBias),
      };
    });
    this.norm = vector('model.norm.weight');
    this.head = config.tieWordEmbeddings
      ? this.embedTokens
      : (weights('lm_head.weight', [vocabSize, d]) as tf.Tensor2D);
    this.#rotary = new RotaryTable(config);
  }

  /** Hidden states after the final norm of packed samples: [n, hiddenSize]. `rng` draws the dropout. */
  forward(batch: PackedTokens, options: { training?: boolean; rng?: Rng } = {}): tf.Tensor2D {
    const { segments } = batch;
    const scale = this.config.headDim ** -0.5;
    const attend: Attend = (_, q, k, v) => packedAttention(q, k, v, segments, scale);
    const pass = { training: options.training ?? false, rng: options.rng };
    return tf.tidy(() => {
      const positions = tf.tensor1d(batch.positions, 'int32');
      return this.#run(batch.tokens, positions, largest(batch.positions) + 1, attend, pass);
    });
  }

  /**
   * Appends tokens [n] to sequences in a cache and returns their hidden states after the final norm
   * [n, hiddenSize]. Token i goes to `positions[i]` of `slots[i]` and sees positions 0..positions[i] of that
   * slot; several tokens of one slot may be given at once.
   * @throws {RangeError} when a slot or a position lies outside of the cache
   */
  forwardCached(tokens: Int32Array, slots: Int32Array, positions: Int32Array, cache: KvCache): tf.Tensor2D {
    const length = largest(positions) + 1;
    if (length > cache.maxLength || largest(slots) >= cache.slots) {
      throw new RangeError(
        `position ${length - 1} of slot ${largest(slots)} lies outside of a cache of ` +
          `${cache.slots} slots of ${cache.maxLength} positions`,
      );
    }
    const scale = this.config.headDim ** -0.5;
    return tf.tidy(() => {
      const slotIds = tf.tensor1d(slots, 'int32');
      const positionIds = tf.tensor1d(positions, 'int32');
      const lengths = tf.tensor1d(
        positions.map((position) => position + 1),
        'int32',
      );
      const attend: Attend = (layer, q, k, v) => {
        const keys = cache.keys[layer]!;
        const values = cache.values[layer]!;
        kvCacheWrite(keys, k, slotIds, positionIds);
        kvCacheWrite(values, v, slotIds, positionIds);
        return cachedAttention(q, keys as tf.Tensor4D, values as tf.Tensor4D, slotIds, lengths, scale);
      };
      return this.#run(tokens, positionIds, length, attend, { training: false, derived: cache.derived });
    });
  }

  #run(tokens: Int32Array, positions: tf.Tensor1D, length: number, attend: Attend, pass: Pass): tf.Tensor2D {
    const rotary = this.#rotary.rows(positions, length);
    const [cos, sin] = [rotary.cos, rotary.sin].map((table) => toFloatType(table, this.floatType)) as [
      tf.Tensor2D,
      tf.Tensor2D,
    ];
    const rows = tf.tensor1d(this.cut?.rows(tokens) ?? tokens, 'int32');
    let hidden = toFloatType(embedding(this.embedTokens, rows), this.floatType);
    this.layers.forEach((layer, i) => {
      // a layer that runs a second time draws the same dropout again
      const state = pass.rng?.state();
      const run = (x: tf.Tensor2D, [c, s]: readonly tf.Tensor[], again: boolean): tf.Tensor2D => {
        const rotary = { cos: c as tf.Tensor2D, sin: s as tf.Tensor2D };
        const rng = again && state ? Rng.fromState(state) : pass.rng;
        return this.#layer(layer, x, rotary, (q, k, v) => attend(i, q, k, v), { ...pass, rng });
      };
      const next = tf.tidy(() =>
        this.gradientCheckpointing && isRecording()
          ? checkpoint(run, hidden, [cos, sin], trainedIn(layer))
          : run(hidden, [cos, sin], false),
      );
      hidden.dispose();
      hidden = next;
    });
    return rmsNorm(hidden, this.norm, this.config.rmsNormEpsilon);
  }

  #layer(
    layer: DecoderLayer,
    hidden: tf.Tensor2D,
    { cos, sin }: { cos: tf.Tensor2D; sin: tf.Tensor2D },
    attend: (q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D) => tf.Tensor3D,
    pass: Pass,
  ): tf.Tensor2D {
    const { headDim, rmsNormEpsilon } = this.config;
    const heads = (x: tf.Tensor2D) => tf.reshape(x, [x.shape[0], -1, headDim]) as tf.Tensor3D;

    const x = rmsNorm(hidden, layer.inputNorm, rmsNormEpsilon);
    const q = rotaryEmbedding(heads(layer.query.forward(x, pass)), cos, sin);
    const k = rotaryEmbedding(heads(layer.key.forward(x, pass)), cos, sin);
    const v = heads(layer.value.forward(x, pass));
    const mixed = tf.reshape(attend(q, k, v), [hidden.shape[0], -1]) as tf.Tensor2D;
    const attended: tf.Tensor2D = tf.add(hidden, layer.output.forward(mixed, pass));

    const y = rmsNorm(attended, layer.postAttentionNorm, rmsNormEpsilon);
    const gated = swiGlu(layer.gate.forward(y, pass), layer.up.forward(y, pass));
    return tf.add(attended, layer.down.forward(gated, pass));
  }

  /** Scores of every token of the vocabulary, of those it was cut to: hidden [r, d] → [r, V]. */
  logits(hidden: tf.Tensor2D): tf.Tensor2D {
    return project(hidden, this.head);
  }

  /**
   * Log-probability of one label per row, without keeping the logits: hidden [r, d], labels [r] → [r]. Where the
   * vocabulary is cut, the probabilities of the kept tokens add up to 1.
   */
  labelLogProbs(hidden: tf.Tensor2D, labels: Int32Array): tf.Tensor1D {
    const rows = this.cut?.rows(labels) ?? labels;
    return tf.tidy(() => headLogProbs(hidden, this.head, tf.tensor1d(rows, 'int32')));
  }

  /** Every projection, in the order of the model. */
  projections(): Projection[] {
    return this.layers.flatMap((l) => [l.query, l.key, l.value, l.output, l.gate, l.up, l.down]);
  }

  /** All weights of the base by their Hugging Face names; a tied head is not listed a second time. */
  weights(): Map<string, tf.Tensor> {
    const all = new Map<string, tf.Tensor>([['model.embed_tokens.weight', this.embedTokens]]);
    this.layers.forEach((layer, i) => {
      all.set(`model.layers.${i}.input_layernorm.weight`, layer.inputNorm);
      all.set(`model.layers.${i}.post_attention_layernorm.weight`, layer.postAttentionNorm);
    });
    for (const { name, weight, bias } of this.projections()) {
      all.set(`${name}.weight`, weight);
      if (bias) all.set(`${name}.bias`, bias);
    }
    all.set('model.norm.weight', this.norm);
    if (this.head !== this.embedTokens) all.set('lm_head.weight', this.head);
    return all;
  }

  /** Variables that training changes: PEFT's names for an adapter, Hugging Face's for the base. */
  trainableVariables(): Map<string, tf.Variable> {
    const variables = new Map<string, tf.Variable>();
    const add = (name: string, tensor: tf.Tensor | undefined) => {
      if (tensor instanceof tf.Variable && tensor.trainable) variables.set(name, tensor);
    };
    for (const [name, tensor] of this.weights()) add(name, tensor);
    for (const { name, adapter } of this.projections()) {
      add(`base_model.model.${name}.lora_A.weight`, adapter?.a);
      add(`base_model.model.${name}.lora_B.weight`, adapter?.b);
      add(`base_model.model.${name}.lora_magnitude_vector`, adapter?.magnitude);
    }
    return variables;
  }

  /** Gives back all memory of the weights and the adapter. */
  dispose(): void {
    for (const projection of this.projections()) projection.dropAdapter();
    tf.dispose([...this.weights().values()]);
    this.#rotary.dispose();
  }
}

/** What training changes in a layer. */
function trainedIn(layer: DecoderLayer): tf.Variable[] {
  const tensors = Object.values(layer).flatMap((part: tf.Tensor | Projection) =>
    part instanceof Projection
      ? [part.weight, part.bias, part.adapter?.a, part.adapter?.b, part.adapter?.magnitude]
      : [part],
  );
  return tensors.filter((tensor) => tensor instanceof tf.Variable && tensor.trainable) as tf.Variable[];
}

function largest(values: Int32Array): number {
  let most = -1;
  for (const value of values) if (value > most) most = value;
  return most;
}
