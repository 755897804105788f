import { type FloatType, floatTypeOf, toFloatType, zerosOfType } from '../tensors/float-type.js';
import { kvCacheCopy, kvCacheWrite } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';
import { dependsOnLength, sharedLength } from './rotary-table.js';
import { SlotHistory } from './slot-history.js';

/**
 * Keys and values of every layer for a fixed number of slots (sequences): [slots, Hkv, maxLength, headDim]
 * each. It belongs to the weights that filled it: after a training step, make a new one.
 */
export class KvCache {
  readonly slots: number;
  readonly maxLength: number;
  readonly keys: tf.Variable[] = [];
  readonly values: tf.Variable[] = [];
  /** Other tensors that depend on the weights alone and are worth computing once, by name. */
  readonly derived = new Map<string, tf.Tensor>();
  /** What was fed, where keys depend on the length of a sequence. */
  readonly history: SlotHistory | undefined;

  readonly #floatType: FloatType;

  constructor(
    config: DecoderConfig,
    {
      slots,
      maxLength,
      floatType = 'float32',
    }: {
      slots: number;
      maxLength: number;
      /** The decoder's `keptType`. */
      floatType?: FloatType;
    },
  ) {
    this.#floatType = floatType;
    this.slots = slots;
    this.maxLength = maxLength;
    if (dependsOnLength(config)) {
      this.history = new SlotHistory(slots, maxLength, (length) => sharedLength(config, length));
    }
    const shape = [slots, config.numKeyValueHeads, maxLength, config.headDim];
    const make = () => {
      const zeros = zerosOfType(shape, floatType);
      const variable = tf.variable(zeros, false);
      zeros.dispose();
      return variable;
    };
    try {
      for (let layer = 0; layer < config.numHiddenLayers; layer++) {
        this.keys.push(make());
        this.values.push(make());
      }
    } catch (error) {
      this.dispose(); // a smaller one may be tried, and needs the memory
      throw error;
    }
  }

  /**
   * Copies positions `start`..`length` − 1 of one slot to another, as branches of an answer and samples of a prompt
   * share its beginning; `start` is above 0 where the other slot has the first of them already. A slot is cropped by
   * feeding at an earlier position: what lies behind the position of a token is not seen by it.
   */
  copySlot(from: number, to: number, length: number, start = 0): void {
    const first = this.history?.copy(from, to, length, start) ?? start;
    const range = { from, to, start: first, end: length };
    for (const cache of [...this.keys, ...this.values]) kvCacheCopy(cache, range);
  }

  /** Fills positions 0..length − 1 of a slot with zeros. */
  clearSlot(slot: number, length: number): void {
    if (length === 0) return;
    tf.tidy(() => {
      const slots = tf.fill([length], slot, 'int32') as tf.Tensor1D;
      const positions = tf.range(0, length, 1, 'int32');
      for (const cache of [...this.keys, ...this.values]) {
        const [, heads, , headDim] = cache.shape as [number, number, number, number];
        const zeros = toFloatType(tf.zeros([length, heads, headDim]), this.#floatType) as tf.Tensor3D;
        kvCacheWrite(cache, zeros, slots, positions);
      }
    });
  }

  /** Bytes of all keys and values. */
  get bytes(): number {
    const bytesOf = (tensor: tf.Tensor) => tensor.size * (floatTypeOf(tensor) === 'float32' ? 4 : 2);
    return [...this.keys, ...this.values].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  }

  dispose(): void {
    tf.dispose([...this.keys, ...this.values, ...this.derived.values()]);
    this.derived.clear();
  }
}
