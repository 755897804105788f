import { type FloatType, floatTypeOf, toFloatType } from '../tensors/float-type.js';
import { isRecording } from '../tensors/gradients.js';
import { dropout, embedding, hasLowRankSum, linear, softCapped } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { MatrixUse } from './adapter-names.js';
import { FrozenAdapters } from './frozen-adapters.js';
import { labelLogProbsInParts } from './label-log-probs.js';
import type { LoraAdapter } from './lora.js';
import {
  bytesOf,
  DenseWeight,
  type HeadPass,
  MergedWeight,
  type NamedTensors,
  type Pass,
  type Weight,
} from './weight.js';

/**
 * A weight with a low-rank adapter on top: W + s · B · A, or DoRA's m ∘ (W + s · B · A) / ‖W + s · B · A‖. For PEFT a
 * table of embeddings is [in, out]: DoRA's norms are of its columns, and what it is given cannot be dropped.
 */
export class LoraWeight implements Weight {
  readonly #name: string;
  readonly #base: Weight;
  readonly #isTable: boolean;
  readonly adapter: LoraAdapter;
  #squares: tf.Tensor1D | undefined;
  /** The norms of an adapter that nothing changes. */
  #norm: tf.Tensor1D | undefined;
  /** s · A of an adapter that nothing changes: made in passing, and not among its bytes. */
  #scaledA: tf.Tensor2D | undefined;
  /** This adapter and those beside it, where nothing changes them: made in passing, and not among its bytes. */
  #frozen: FrozenAdapters | undefined;

  /** @param part whose weight it is; a pass keeps norms under its name */
  constructor({ name, use }: { name: string; use: MatrixUse }, base: Weight, adapter: LoraAdapter) {
    this.#name = name;
    this.#base = base;
    this.#isTable = use === 'embedding';
    this.adapter = adapter;
  }

  get shape(): readonly [out: number, input: number] {
    return this.#base.shape;
  }

  get changed(): boolean {
    return this.#base.changed;
  }

  get takesSums(): boolean {
    return this.#base.takesSums;
  }

  get floatType(): FloatType {
    return this.#base.floatType;
  }

  get bytes(): number {
    return this.#owned().reduce((sum, tensor) => sum + bytesOf(tensor), this.#base.bytes);
  }

  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined, pass: Pass): tf.Tensor2D {
    if (this.#isFrozen(pass)) return LoraWeight.#multiplyFrozen([{ weight: this, bias }], x, pass)[0]!;
    const { adapter } = this;
    const base = this.#base;
    const dropped = pass.training && adapter.dropout > 0;
    const input = dropped ? drop(x, adapter.dropout, pass) : x;
    const change = linear(this.#low(input), adapter.b as tf.Tensor2D);
    const factor = this.#factor(pass);
    if (!factor) return tf.add(base.multiply(x, bias, pass), change);

    const type = floatTypeOf(x);
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

  /** The products [n, out] of one input [n, in] with several matrices: adapters that nothing changes go together. */
  static multiplyAll(
    matrices: readonly { weight: Weight; bias: tf.Tensor1D | undefined }[],
    x: tf.Tensor2D,
    pass: Pass,
  ): tf.Tensor2D[] {
    const frozen = matrices.flatMap(({ weight, bias }) =>
      weight instanceof LoraWeight && weight.#isFrozen(pass) ? [{ weight, bias }] : [],
    );
    const together = LoraWeight.#multiplyFrozen(frozen, x, pass);
    return matrices.map(({ weight, bias }) => {
      const at = frozen.findIndex((one) => one.weight === weight);
      return together[at] ?? weight.multiply(x, bias, pass);
    });
  }

  /** Whether nothing changes the adapter, no gradient is asked for, and the backend adds it in one piece. */
  #isFrozen({ training }: Pass): boolean {
    const { a, dropout } = this.adapter;
    return !a.trainable && !(training && dropout > 0) && !isRecording() && hasLowRankSum();
  }

  static #multiplyFrozen(
    matrices: readonly { weight: LoraWeight; bias: tf.Tensor1D | undefined }[],
    x: tf.Tensor2D,
    pass: Pass,
  ): tf.Tensor2D[] {
    const first = matrices[0]?.weight;
    if (!first) return [];
    const adapters = matrices.map(({ weight: { adapter } }) => adapter);
    if (!first.#frozen?.isOf(adapters)) {
      first.#frozen?.dispose();
      first.#frozen = undefined;
      const factors = matrices.map(({ weight }) => weight.#factor(pass));
      first.#frozen = FrozenAdapters.of(adapters, factors);
    }
    // a bias is no part of what DoRA multiplies
    const products = matrices.map(({ weight, bias }) =>
      weight.#base.multiply(x, weight.adapter.magnitude ? undefined : bias, pass),
    );
    return first.#frozen.addTo(products, x).map((product, i) => {
      const { weight, bias } = matrices[i]!;
      if (!bias || !weight.adapter.magnitude) return product;
      return tf.add(product, toFloatType(bias, floatTypeOf(product)));
    });
  }

  rows(ids: tf.Tensor1D, pass: Pass): tf.Tensor2D {
    const { a, b, magnitude, scaling } = this.adapter;
    const plain = this.#base.rows(ids, pass);
    const low: tf.Tensor2D = tf.mul(embedding(b as tf.Tensor2D, ids), scaling);
    // in float32 whatever the base is in, as PEFT: a row is a sum of few terms
    let sum: tf.Tensor2D = tf.add(toFloatType(plain, 'float32'), tf.matMul(low, a as tf.Tensor2D));
    if (magnitude) sum = tf.mul(sum, tf.div(magnitude, this.#directionNorm(pass)));
    return toFloatType(sum, floatTypeOf(plain));
  }

  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, pass: HeadPass): tf.Tensor1D {
    const { a, b, magnitude } = this.adapter;
    const trained = [a, b, magnitude].filter((v) => v?.trainable) as tf.Variable[];
    return labelLogProbsInParts({ width: this.shape[0], trained }, x, labels, pass, (rows, own) =>
      softCapped(toFloatType(this.multiply(rows, undefined, own), 'float32'), pass.softCap),
    );
  }

  dense(): tf.Tensor2D {
    const { adapter } = this;
    return tf.tidy(() => {
      const low = tf.matMul(adapter.b as tf.Tensor2D, adapter.a as tf.Tensor2D);
      const merged: tf.Tensor2D = tf.add(this.#base.dense(), tf.mul(low, adapter.scaling));
      if (!adapter.magnitude) return merged;
      const norm = tf.sqrt(tf.sum(tf.square(merged), this.#normAxis));
      return tf.mul(merged, tf.expandDims(tf.div(adapter.magnitude, norm), this.#normAxis));
    });
  }

  baseTensors(): NamedTensors {
    return this.#base.baseTensors();
  }

  merged({ keepBase }: { keepBase: boolean }): Weight {
    const sum = tf.tidy(() => toFloatType(this.dense(), this.floatType));
    const merged = new DenseWeight(sum, { changed: true });
    if (keepBase) {
      this.#disposeOwn();
      return new MergedWeight(merged, this.#base);
    }
    this.dispose();
    return merged;
  }

  unmerged(): Weight {
    this.#disposeOwn();
    return this.#base;
  }

  dispose(): void {
    this.#disposeOwn();
    this.#base.dispose();
  }

  /** The tensors beside those of the base. */
  #owned(): tf.Tensor[] {
    const { a, b, magnitude, initial } = this.adapter;
    return [a, b, magnitude, initial?.a, initial?.b, this.#squares, this.#norm].filter(
      (t) => t !== undefined,
    );
  }

  #disposeOwn(): void {
    tf.dispose(this.#owned());
    this.#scaledA?.dispose();
    this.#frozen?.dispose();
  }

  /** s · x · Aᵀ: scaled where it is narrow, and of an adapter that nothing changes once. */
  #low(x: tf.Tensor2D): tf.Tensor2D {
    const { a, scaling } = this.adapter;
    if (a.trainable) return tf.mul(linear(x, a as tf.Tensor2D), scaling);
    const scaled = this.#scaledA ?? tf.keep(tf.mul(a as tf.Tensor2D, scaling) as tf.Tensor2D);
    this.#scaledA = scaled;
    return linear(x, scaled);
  }

  /** DoRA's m / ‖W + s · B · A‖ of each row [out]. */
  #factor(pass: Pass): tf.Tensor1D | undefined {
    const { magnitude } = this.adapter;
    return magnitude && (tf.div(magnitude, this.#directionNorm(pass)) as tf.Tensor1D);
  }

  /** The axis that DoRA's norms are over. */
  get #normAxis(): 0 | 1 {
    return this.#isTable ? 0 : 1;
  }

  /**
   * ‖W + s·B·A‖ of each row [out], of a table of each column [in], a constant for the gradient (DoRA, section 4.3). It
   * is expanded, so that no [out, in] matrix is made: of rows ‖W‖² + 2s·Σ B∘(W·Aᵀ) + s²·Σ B∘(B·A·Aᵀ), of columns
   * ‖W‖² + 2s·Σ A∘(Bᵀ·W) + s²·Σ A∘(Bᵀ·B·A).
   */
  #directionNorm(pass: Pass): tf.Tensor1D {
    const known = this.#norm ?? (pass.derived?.get(this.#name) as tf.Tensor1D | undefined);
    if (known) return known;
    const axis = this.#normAxis;
    const whole = () => this.#base.dense();
    this.#squares ??= tf.keep(constant(() => tf.sum(tf.square(whole()), axis))) as tf.Tensor1D;
    const squares = this.#squares;
    const norm = constant(() => {
      const { scaling } = this.adapter;
      const a = this.adapter.a as tf.Tensor2D;
      const b = this.adapter.b as tf.Tensor2D;
      const factor = this.#isTable ? a : b;
      const base = this.#isTable ? tf.matMul(b, whole(), true, false) : linear(whole(), a);
      const change = this.#isTable ? tf.matMul(tf.matMul(b, b, true, false), a) : linear(b, linear(a, a));
      const cross = tf.sum(tf.mul(factor, base), axis);
      const own = tf.sum(tf.mul(factor, change), axis);
      return tf.sqrt(tf.add(tf.add(squares, tf.mul(cross, 2 * scaling)), tf.mul(own, scaling * scaling)));
    }) as tf.Tensor1D;
    if (!this.adapter.a.trainable) this.#norm = tf.keep(norm.clone());
    else pass.derived?.set(this.#name, tf.keep(norm.clone()));
    return norm;
  }
}

/** Runs `f` off the gradient tape. */
function constant(f: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: f(), gradFunc: () => [] }))();
}

/** Drops with the next seed of the pass and the names of its rows. */
function drop(x: tf.Tensor2D, rate: number, { rng, names }: Pass): tf.Tensor2D {
  if (!rng || !names) throw new Error('a training pass with dropout needs an rng and names of its rows');
  return dropout(x, rate, rng.int(-(2 ** 31), 2 ** 31 - 1), names);
}

/** A variable of an adapter, which is always float32. */
export function variable(values: Float32Array, shape: number[], trainable: boolean): tf.Variable {
  const tensor = tf.tensor(values, shape, 'float32');
  const result = tf.variable(tensor, trainable);
  tensor.dispose();
  return result;
}
