import type { Rng } from '../common/rng.js';
import { floatTypeOf, toFloatType } from '../tensors/float-type.js';
import { dropout, linear, project } from '../tensors/kernels/index.js';
import * as tf from '../tensors/tf.js';

/** How the adapter's matrices start. `pissa` takes the principal part of the base weight. */
export type LoraInit = 'default' | 'gaussian' | 'pissa';

/** A low-rank adapter (Hu et al. 2021), as asked for. */
export interface LoraOptions {
  rank: number;
  alpha: number;
  /** The probability of dropping an element of the adapter's input in training. */
  dropout: number;
  /** Names of projections, such as `q_proj`; without it those of attention. */
  targetModules?: string[];
  /** Scale by alpha / √rank instead of alpha / rank (rsLoRA, Kalajdzievski 2023). */
  useRslora: boolean;
  /** Train magnitude and direction apart (DoRA, Liu et al. 2024). */
  useDora: boolean;
  init: LoraInit;
}

/** The projections that get an adapter when none are named. */
export const defaultTargetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];

/** The factor on B · A. */
export function loraScaling(alpha: number, rank: number, useRslora: boolean): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank);
}

/** What one forward pass passes down to every projection. */
export interface Pass {
  training: boolean;
  rng?: Rng | undefined;
  /** Where results that depend on the weights alone are kept, when they may be reused. */
  derived?: Map<string, tf.Tensor> | undefined;
}

/** The adapter of one projection: A [rank, in], B [out, rank] and, for DoRA, the magnitudes [out]. */
export interface LoraAdapter {
  a: tf.Variable;
  b: tf.Variable;
  magnitude?: tf.Variable;
  scaling: number;
  dropout: number;
  /** What PiSSA took out of the base weight, needed to save an adapter for the untouched base. */
  initial?: { a: tf.Tensor2D; b: tf.Tensor2D };
}

/** x · weightᵀ + bias with an optional adapter: x [n, in] → [n, out]. */
export class Projection {
  /** PEFT's and Hugging Face's name, such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  weight: tf.Tensor2D;
  readonly bias: tf.Tensor1D | undefined;
  adapter: LoraAdapter | undefined;
  #squares: tf.Tensor1D | undefined;

  constructor(name: string, weight: tf.Tensor2D, bias?: tf.Tensor1D) {
    this.name = name;
    this.weight = weight;
    this.bias = bias;
  }

  /** [n, in] → [n, out]. */
  forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D {
    const { adapter } = this;
    if (!adapter) return project(x, this.weight, this.bias);
    const dropped = pass.training && adapter.dropout > 0;
    const input = dropped ? dropout(x, adapter.dropout, drawSeed(pass)) : x;
    // scaled where it is narrow
    const low: tf.Tensor2D = tf.mul(linear(input, adapter.a as tf.Tensor2D), adapter.scaling);
    const change = linear(low, adapter.b as tf.Tensor2D);
    if (!adapter.magnitude) return tf.add(project(x, this.weight, this.bias), change);

    const type = floatTypeOf(x);
    const direction = this.#directionNorm(adapter, pass);
    const factor = tf.div(adapter.magnitude, direction);
    const base = project(x, this.weight);
    let result: tf.Tensor2D;
    if (dropped || type !== 'float32') {
      // PEFT: the base's own output sees all of x, only what DoRA adds to it sees the dropped x. And a factor near 1
      // would be 1 in half precision, where its difference from 1 keeps all of its digits
      const droppedBase = dropped ? project(input, this.weight) : base;
      const change1 = tf.mul(toFloatType(tf.sub(factor, 1), type), droppedBase);
      result = tf.add(base, tf.add(change1, tf.mul(toFloatType(factor, type), change)));
    } else {
      result = tf.mul(factor, tf.add(base, change));
    }
    return this.bias ? tf.add(result, toFloatType(this.bias, type)) : result;
  }

  /** The weight with its adapter folded in, in float32: [out, in]. */
  mergedWeight(): tf.Tensor2D {
    const { adapter } = this;
    if (!adapter) return this.weight.clone();
    return tf.tidy(() => {
      const low = tf.matMul(adapter.b as tf.Tensor2D, adapter.a as tf.Tensor2D);
      const merged: tf.Tensor2D = tf.add(toFloatType(this.weight, 'float32'), tf.mul(low, adapter.scaling));
      if (!adapter.magnitude) return merged;
      const norm = tf.sqrt(tf.sum(tf.square(merged), 1));
      return tf.mul(merged, tf.expandDims(tf.div(adapter.magnitude, norm), 1));
    });
  }

  /** Replaces the weight by the merged one and drops the adapter. */
  merge(): void {
    if (!this.adapter) return;
    const merged = tf.tidy(() => toFloatType(this.mergedWeight(), floatTypeOf(this.weight)));
    this.weight.dispose();
    this.weight = tf.keep(merged);
    this.dropAdapter();
  }

  dropAdapter(): void {
    const { adapter } = this;
    if (adapter) tf.dispose([adapter.a, adapter.b, adapter.magnitude, adapter.initial].filter(Boolean) as []);
    this.#squares?.dispose();
    this.#squares = undefined;
    this.adapter = undefined;
  }

  dispose(): void {
    this.dropAdapter();
    tf.dispose(this.bias ? [this.weight, this.bias] : [this.weight]);
  }

  /**
   * ‖W + s·B·A‖ of each row [out], a constant for the gradient (DoRA, section 4.3). It is expanded, so that no
   * [out, in] matrix is made: ‖W‖² + 2s·Σ B∘(W·Aᵀ) + s²·Σ B∘(B·A·Aᵀ).
   */
  #directionNorm(adapter: LoraAdapter, pass: Pass): tf.Tensor1D {
    const known = pass.derived?.get(this.name);
    if (known) return known as tf.Tensor1D;
    const whole = () => toFloatType(this.weight, 'float32');
    this.#squares ??= tf.keep(constant(() => tf.sum(tf.square(whole()), 1))) as tf.Tensor1D;
    const squares = this.#squares;
    const norm = constant(() => {
      const { scaling } = adapter;
      const a = adapter.a as tf.Tensor2D;
      const b = adapter.b as tf.Tensor2D;
      const cross = tf.sum(tf.mul(b, linear(whole(), a)), 1);
      const own = tf.sum(tf.mul(b, linear(b, linear(a, a))), 1);
      return tf.sqrt(tf.add(tf.add(squares, tf.mul(cross, 2 * scaling)), tf.mul(own, scaling * scaling)));
    }) as tf.Tensor1D;
    pass.derived?.set(this.name, tf.keep(norm.clone()));
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
