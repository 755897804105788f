import { type FloatType, floatTypeOf, toFloatType } from '../tensors/float-type.js';
import { dropout, linear } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { LoraAdapter } from './lora.js';
import { bytesOf, DenseWeight, MergedWeight, type NamedTensors, type Pass, type Weight } from './weight.js';

/** A weight with a low-rank adapter on top: W + s · B · A, or DoRA's m ∘ (W + s · B · A) / ‖W + s · B · A‖. */
export class LoraWeight implements Weight {
  readonly #name: string;
  readonly #base: Weight;
  readonly adapter: LoraAdapter;
  #squares: tf.Tensor1D | undefined;

  /** @param name of the projection, under which a pass keeps the norms of its rows */
  constructor(name: string, base: Weight, adapter: LoraAdapter) {
    this.#name = name;
    this.#base = base;
    this.adapter = adapter;
  }

  get shape(): readonly [out: number, input: number] {
    return this.#base.shape;
  }

  get changed(): boolean {
    return this.#base.changed;
  }

  get floatType(): FloatType {
    return this.#base.floatType;
  }

  get bytes(): number {
    return this.#owned().reduce((sum, tensor) => sum + bytesOf(tensor), this.#base.bytes);
  }

  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined, pass: Pass): tf.Tensor2D {
    const { adapter } = this;
    const base = this.#base;
    const dropped = pass.training && adapter.dropout > 0;
    const input = dropped ? dropout(x, adapter.dropout, drawSeed(pass)) : x;
    // scaled where it is narrow
    const low: tf.Tensor2D = tf.mul(linear(input, adapter.a as tf.Tensor2D), adapter.scaling);
    const change = linear(low, adapter.b as tf.Tensor2D);
    if (!adapter.magnitude) return tf.add(base.multiply(x, bias, pass), change);

    const type = floatTypeOf(x);
    const direction = this.#directionNorm(pass);
    const factor = tf.div(adapter.magnitude, direction);
    const plain = base.multiply(x, undefined, pass);
    let result: tf.Tensor2D;
    if (dropped || type !== 'float32') {
      // PEFT: the base's own output sees all of x, only what DoRA adds to it sees the dropped x. And a factor near 1
      // would be 1 in half precision, where its difference from 1 keeps all of its digits
      const droppedBase = dropped ? base.multiply(input, undefined, pass) : plain;
      const change1 = tf.mul(toFloatType(tf.sub(factor, 1), type), droppedBase);
      result = tf.add(plain, tf.add(change1, tf.mul(toFloatType(factor, type), change)));
    } else {
      result = tf.mul(factor, tf.add(plain, change));
    }
    return bias ? tf.add(result, toFloatType(bias, type)) : result;
  }

  dense(): tf.Tensor2D {
    const { adapter } = this;
    return tf.tidy(() => {
      const low = tf.matMul(adapter.b as tf.Tensor2D, adapter.a as tf.Tensor2D);
      const merged: tf.Tensor2D = tf.add(this.#base.dense(), tf.mul(low, adapter.scaling));
      if (!adapter.magnitude) return merged;
      const norm = tf.sqrt(tf.sum(tf.square(merged), 1));
      return tf.mul(merged, tf.expandDims(tf.div(adapter.magnitude, norm), 1));
    });
  }

  baseTensors(): NamedTensors {
    return this.#base.baseTensors();
  }

  merged({ keepBase }: { keepBase: boolean }): Weight {
    const sum = tf.tidy(() => toFloatType(this.dense(), this.floatType));
    const merged = new DenseWeight(sum, { changed: true });
    if (keepBase) {
      tf.dispose(this.#owned());
      return new MergedWeight(merged, this.#base);
    }
    this.dispose();
    return merged;
  }

  unmerged(): Weight {
    tf.dispose(this.#owned());
    return this.#base;
  }

  dispose(): void {
    tf.dispose(this.#owned());
    this.#base.dispose();
  }

  /** The tensors beside those of the base. */
  #owned(): tf.Tensor[] {
    const { a, b, magnitude, initial } = this.adapter;
    return [a, b, magnitude, initial?.a, initial?.b, this.#squares].filter((t) => t !== undefined);
  }

  /**
   * ‖W + s·B·A‖ of each row [out], a constant for the gradient (DoRA, section 4.3). It is expanded, so that no
   * [out, in] matrix is made: ‖W‖² + 2s·Σ B∘(W·Aᵀ) + s²·Σ B∘(B·A·Aᵀ).
   */
  #directionNorm(pass: Pass): tf.Tensor1D {
    const known = pass.derived?.get(this.#name);
    if (known) return known as tf.Tensor1D;
    const whole = () => this.#base.dense();
    this.#squares ??= tf.keep(constant(() => tf.sum(tf.square(whole()), 1))) as tf.Tensor1D;
    const squares = this.#squares;
    const norm = constant(() => {
      const { scaling } = this.adapter;
      const a = this.adapter.a as tf.Tensor2D;
      const b = this.adapter.b as tf.Tensor2D;
      const cross = tf.sum(tf.mul(b, linear(whole(), a)), 1);
      const own = tf.sum(tf.mul(b, linear(b, linear(a, a))), 1);
      return tf.sqrt(tf.add(tf.add(squares, tf.mul(cross, 2 * scaling)), tf.mul(own, scaling * scaling)));
    }) as tf.Tensor1D;
    pass.derived?.set(this.#name, tf.keep(norm.clone()));
    return norm;
  }
}

/** Runs `f` off the gradient tape. */
function constant(f: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))();
}

function drawSeed(pass: Pass): number {
  if (!pass.rng) throw new Error('a training pass with dropout needs an rng');
  return pass.rng.int(-(2 ** 31), 2 ** 31 - 1);
}

/** A variable of an adapter, which is always float32. */
export function variable(values: Float32Array, shape: number[], trainable: boolean): tf.Variable {
  const tensor = tf.tensor(values, shape, 'float32');
  const result = tf.variable(tensor, trainable);
  tensor.dispose();
  return result;
}
