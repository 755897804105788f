import { Rng } from '../common/rng.js';
import { toFloatType } from '../tensors/float-type.js';
import { checkpoint, isRecording } from '../tensors/gradients.js';
import {
  type AttentionLimits,
  cachedAttention,
  embedding,
  geGlu,
  kvCacheWrite,
  packedAttention,
  rotaryEmbedding,
  swiGlu,
} from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';
import { type DecoderOptions, DecoderParts, trainedIn } from './decoder-parts.js';
import type { KvCache } from './kv-cache.js';
import type { DecoderLayer, WeightSource } from './layer.js';
import { roundTo } from './number-formats.js';
import type { PackedTokens } from './packed-tokens.js';
import type { Norm } from './parts.js';
import { queryScales, type RotaryRows, RotaryTable } from './rotary-table.js';
import type { CachedFeed } from './slot-history.js';
import type { Pass } from './weight.js';

type Three<T> = [T, T, T];

/** The rotary positions of tokens, in layers that see all and in those with a window, and the factors on their queries. */
interface Turns {
  readonly full: RotaryRows;
  readonly sliding: RotaryRows;
  /** [n], on the host: far positions are rare. Undefined where all are one. */
  readonly queryScales: Float32Array | undefined;
}

/** How a layer's queries meet keys and values: q [n, H, D], k and v [n, Hkv, D] → [n, H, D]. */
type Attend = (layer: number, q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D) => tf.Tensor3D;

/**
 * A decoder-only transformer as Llama is: rotary positions, grouped key-value heads, RMSNorm before each half of a
 * block, SwiGLU; what a family has beside that is a feature in its configuration. Tokens of several samples lie in one
 * row [n], nothing is padded, and a layer gives back everything but its output, so that a forward pass holds one layer
 * at a time.
 *
 * Where rotary frequencies depend on the length of a sequence, each sample of a packed pass has those of its own
 * length.
 */
export class Decoder extends DecoderParts {
  /** In training, keep of each layer only its input, and run it again for the gradient: less memory, more time. */
  gradientCheckpointing = false;
  /** The rotary positions of layers that see all, and of those with a window. */
  readonly #rotary: { full: RotaryTable; sliding: RotaryTable };
  /** The factor on products of queries and keys. */
  readonly #attentionScale: number;
  /** What limits the attention of each layer. */
  readonly #limits: readonly AttentionLimits[];

  constructor(config: DecoderConfig, weights: WeightSource, options?: DecoderOptions) {
    super(config, weights, options);
    const full = new RotaryTable(config);
    const { slidingRope } = config;
    const sliding = slidingRope && new RotaryTable({ ...config, ropeScaling: undefined, ...slidingRope });
    this.#rotary = { full, sliding: sliding ?? full };
    this.#attentionScale = config.attentionScale ?? config.headDim ** -0.5;
    this.#limits = this.layers.map((_, i) => ({
      window: config.windows?.[i] ?? undefined,
      softCap: config.attentionSoftCap,
    }));
  }

  /**
   * Hidden states after the final norm of packed samples: [n, hiddenSize], or of the tokens at `rows` (int32 [r])
   * alone: [r, hiddenSize]. The last layer then leaves out what nothing else reads. `rng` draws the dropout.
   */
  forward(
    batch: PackedTokens,
    options: { training?: boolean; rng?: Rng; rows?: tf.Tensor1D } = {},
  ): tf.Tensor2D {
    const { segments } = batch;
    const attend: Attend = (layer, q, k, v) =>
      packedAttention(q, k, v, segments, this.#attentionScale, this.#limits[layer]);
    const { training = false, rng, rows } = options;
    return tf.tidy(() => {
      const positions = tf.tensor1d(batch.positions, 'int32');
      const rotary = this.#turns(positions, batch.positions, lengthsOf(segments));
      const names = rng && tf.tensor1d(batch.names, 'int32');
      return this.#run(batch.tokens, rotary, attend, { training, rng, names }, rows);
    });
  }

  /**
   * Appends tokens [n] to sequences in a cache and returns their hidden states after the final norm
   * [n, hiddenSize]. Token i goes to `positions[i]` of `slots[i]` and sees positions 0..positions[i] of that
   * slot; several tokens of one slot may be given at once, in ascending order.
   *
   * Where rotary frequencies depend on the length of a sequence (dynamic and longrope scaling), a hidden state is that
   * of the last token of a packed pass over positions 0..positions[i]: what a sequence of that length gives. A sequence
   * that grows into other frequencies is fed again from its start. So a text that is decoded token by token has other
   * log-probabilities than one pass over all of it, when its answer crosses such a length: there is no such difference
   * between two answers of decoding, nor between two packed passes.
   * @param asked rows whose hidden states are looked at; all when absent. Only where frequencies depend on the length
   * do the others then come from a longer sequence, which saves time.
   * @throws {RangeError} when a slot or a position lies outside of the cache
   */
  forwardCached(
    tokens: Int32Array,
    slots: Int32Array,
    positions: Int32Array,
    cache: KvCache,
    asked?: readonly number[],
  ): tf.Tensor2D {
    const last = largest(positions);
    if (last >= cache.maxLength || largest(slots) >= cache.slots) {
      throw new RangeError(
        `position ${last} of slot ${largest(slots)} lies outside of a cache of ` +
          `${cache.slots} slots of ${cache.maxLength} positions`,
      );
    }
    const feed = { tokens, slots, positions };
    if (!cache.history) return this.#runCached(feed, cache);
    const parts = cache.history.plan(feed, asked);
    return tf.tidy(() => {
      const hidden = parts.map((part) => this.#runCached(part, cache, part.lengths));
      if (hidden.length === 1) return hidden[0]!;
      const places = new Int32Array(tokens.length);
      const rows = parts.flatMap((part) => [...part.rows]);
      for (const [place, row] of rows.entries()) if (row >= 0) places[row] = place;
      return tf.gather(tf.concat(hidden, 0), tf.tensor1d(places, 'int32'));
    });
  }

  /** One pass over a cache. @param lengths of the sequence of each token, where frequencies depend on it */
  #runCached({ tokens, slots, positions }: CachedFeed, cache: KvCache, lengths?: Int32Array): tf.Tensor2D {
    return tf.tidy(() => {
      const slotIds = tf.tensor1d(slots, 'int32');
      const positionIds = tf.tensor1d(positions, 'int32');
      const seen = tf.tensor1d(
        positions.map((position) => position + 1),
        'int32',
      );
      const attend = this.#attendCached(cache, slotIds, positionIds, seen);
      const rotary = this.#turns(positionIds, positions, lengths);
      return this.#run(tokens, rotary, attend, { training: false, derived: cache.derived });
    });
  }

  /**
   * Logits [n, V] of the next tokens of n sequences, each of which is fed one: a pass that reads nothing from the host,
   * so that it can be captured. Not for caches with a history, nor for queries with factors.
   * @param rows int32 [n]: rows of the embeddings
   * @param span positions that any of the sequences has at most, `cache.maxLength` at most
   */
  nextLogits(
    { rows, slots, positions }: Record<'rows' | 'slots' | 'positions', tf.Tensor1D>,
    cache: KvCache,
    span: number,
  ): tf.Tensor2D {
    return tf.tidy(() => {
      const seen = tf.add(positions, tf.scalar(1, 'int32')) as tf.Tensor1D;
      const far = Int32Array.of(cache.maxLength - 1);
      const attend = this.#attendCached(cache, slots, positions, seen, { span });
      const turns = this.#turns(positions, far);
      const pass = { training: false, derived: cache.derived };
      return this.logits(this.#run(rows, turns, attend, pass), cache);
    });
  }

  /** Attention that adds keys and values to a cache. */
  #attendCached(
    cache: KvCache,
    slots: tf.Tensor1D,
    positions: tf.Tensor1D,
    seen: tf.Tensor1D,
    within: { span?: number } = {},
  ): Attend {
    return (layer, q, k, v) => {
      const [keys, values] = [cache.keys[layer]!, cache.values[layer]!] as (tf.Variable & tf.Tensor4D)[];
      kvCacheWrite(keys!, k, slots, positions);
      kvCacheWrite(values!, v, slots, positions);
      const limits = { ...this.#limits[layer], ...within };
      return cachedAttention(q, keys!, values!, slots, seen, this.#attentionScale, limits);
    };
  }

  /** What the positions of tokens do to queries and keys. */
  #turns(ids: tf.Tensor1D, positions: Int32Array, lengths?: Int32Array): Turns {
    const { full, sliding } = this.#rotary;
    const rows = full.rows(ids, positions, lengths);
    return {
      full: rows,
      sliding: sliding === full ? rows : sliding.rows(ids, positions, lengths),
      queryScales: queryScales(this.config, positions),
    };
  }

  /** @param tokens their ids, or the rows that they have in the embeddings, on the device */
  #run(
    tokens: Int32Array | tf.Tensor1D,
    rotary: Turns,
    attend: Attend,
    pass: Pass,
    wanted?: tf.Tensor1D,
  ): tf.Tensor2D {
    const turnsOf = ({ cos, sin }: RotaryRows) =>
      [cos, sin].map((table) => toFloatType(table, this.floatType)) as [tf.Tensor2D, tf.Tensor2D];
    const full = turnsOf(rotary.full);
    const sliding = rotary.sliding === rotary.full ? full : turnsOf(rotary.sliding);
    let hidden = this.#embed(tokens, pass);
    this.layers.forEach((layer, i) => {
      // a layer that runs a second time draws the same dropout again
      const state = pass.rng?.state();
      const turns = this.#limits[i]!.window === undefined ? full : sliding;
      const run = (x: tf.Tensor2D, [c, s, n]: readonly tf.Tensor[], again: boolean): tf.Tensor2D => {
        const turns = { cos: c as tf.Tensor2D, sin: s as tf.Tensor2D, queryScales: rotary.queryScales };
        const rng = again && state ? Rng.fromState(state) : pass.rng;
        const rows = i === this.layers.length - 1 ? wanted : undefined;
        const own = { ...pass, rng, names: n as tf.Tensor1D | undefined };
        return this.#layer(layer, x, turns, (q, k, v) => attend(i, q, k, v), own, rows);
      };
      const kept = pass.names ? [...turns, pass.names] : turns;
      const next = tf.tidy(() =>
        this.gradientCheckpointing && isRecording()
          ? checkpoint(run, hidden, kept, trainedIn(layer))
          : run(hidden, kept, false),
      );
      hidden.dispose();
      hidden = next;
    });
    return this.norm.forward(hidden);
  }

  /** The hidden states that tokens begin with: [n, hiddenSize]. */
  #embed(tokens: Int32Array | tf.Tensor1D, pass: Pass): tf.Tensor2D {
    const rows =
      tokens instanceof Int32Array ? tf.tensor1d(this.cut?.rows(tokens) ?? tokens, 'int32') : tokens;
    const hidden = toFloatType(this.embedTokens.forward(rows, pass), this.floatType);
    const { embeddingScale: scale } = this.config;
    return scale === undefined ? hidden : tf.mul(hidden, roundTo(scale, this.floatType));
  }

  #layer(
    layer: DecoderLayer,
    hidden: tf.Tensor2D,
    { cos, sin, queryScales }: RotaryRows & Pick<Turns, 'queryScales'>,
    attend: (q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D) => tf.Tensor3D,
    pass: Pass,
    rows?: tf.Tensor1D,
  ): tf.Tensor2D {
    const { headDim, activation } = this.config;
    // after attention every token is on its own
    const wanted = (states: tf.Tensor2D) => (rows ? embedding(states, rows) : states);
    const heads = (x: tf.Tensor2D) => tf.reshape(x, [x.shape[0], -1, headDim]) as tf.Tensor3D;

    const x = layer.inputNorm.forward(hidden);
    const turned = (y: tf.Tensor3D, norm: Norm | undefined) => {
      const normed = norm ? norm.forward(y) : y;
      return layer.isRotary ? rotaryEmbedding(normed, cos, sin) : normed;
    };
    const [query, key, v] = layer.attentionInput.forward(x, pass).map(heads) as Three<tf.Tensor3D>;
    const scaled = (y: tf.Tensor3D): tf.Tensor3D =>
      queryScales ? tf.mul(y, toFloatType(tf.tensor3d(queryScales, [y.shape[0], 1, 1]), this.floatType)) : y;
    const q = scaled(turned(query, layer.queryNorm));
    const k = turned(key, layer.keyNorm);
    const mixed = wanted(tf.reshape(attend(q, k, v), [hidden.shape[0], -1]) as tf.Tensor2D);
    const normed = (norm: Norm | undefined, x: tf.Tensor2D) => (norm ? norm.forward(x) : x);
    const after = rows && pass.names ? { ...pass, names: tf.gather(pass.names, rows) } : pass;
    const fromAttention = normed(layer.attentionOutputNorm, layer.output.forward(mixed, after));
    const attended: tf.Tensor2D = tf.add(wanted(hidden), fromAttention);

    const y = layer.feedForwardNorm.forward(attended);
    const [gate, up] = layer.gateUp.forward(y, after) as [tf.Tensor2D, tf.Tensor2D];
    const gated = activation === 'gelu-tanh' ? geGlu(gate, up) : swiGlu(gate, up);
    return tf.add(attended, normed(layer.feedForwardOutputNorm, layer.down.forward(gated, after)));
  }

  /**
   * Scores of every token of the vocabulary, of those it was cut to: hidden [r, d] → [r, V].
   * @param cache that the hidden states were made with, which keeps what depends on the weights alone
   */
  logits(hidden: tf.Tensor2D, cache?: KvCache): tf.Tensor2D {
    return this.head.forward(hidden, { training: false, derived: cache?.derived });
  }

  /**
   * Log-probability of one label per row, without keeping the logits: hidden [r, d], labels [r] → [r]. Where the
   * vocabulary is cut, probabilities are normalised over the kept tokens. `rng` draws the dropout, whose masks `names`
   * name [r], by default the places of the rows.
   */
  labelLogProbs(
    hidden: tf.Tensor2D,
    labels: Int32Array,
    { training = false, rng, names }: { training?: boolean; rng?: Rng; names?: Int32Array } = {},
  ): tf.Tensor1D {
    const rows = this.cut?.rows(labels) ?? labels;
    return tf.tidy(() => {
      const of = rng && tf.tensor1d(names ?? Int32Array.from(labels.keys()), 'int32');
      return this.head.labelLogProbs(hidden, rows, { training, rng, names: of });
    });
  }

  override dispose(): void {
    super.dispose();
    this.#rotary.full.dispose();
    this.#rotary.sliding.dispose();
  }
}

/** The length of each token's own sequence [n]. */
function lengthsOf(segments: Int32Array): Int32Array {
  const lengths = new Int32Array(segments.at(-1) ?? 0);
  for (let i = 0; i + 1 < segments.length; i++) {
    lengths.fill(segments[i + 1]! - segments[i]!, segments[i]!, segments[i + 1]!);
  }
  return lengths;
}

function largest(values: Int32Array): number {
  let most = -1;
  for (const value of values) if (value > most) most = value;
  return most;
}
