/** The parts of a model that have weights. What they are called in files is theirs to know, so nothing asks what a part is. */
import { rmsNorm, softCapped } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { adapterTensorNames, type MatrixUse } from './adapter-names.js';
import type { LoraAdapter } from './lora.js';
import { LoraWeight } from './lora-weight.js';
import { bytesOf, type NamedTensors, type Pass, type Weight } from './weight.js';

/** A part of a model. */
export interface ModelPart {
  /** The base's tensors, by their names in a model's files. */
  baseTensors(): NamedTensors;
  /** What an adapter has on it or in its place, by PEFT's names. */
  adapterTensors(): NamedTensors;
  /** Its norms and biases. */
  readonly vectors: readonly Vector[];
  /** Bytes of all of it. */
  readonly bytes: number;
  dispose(): void;
}

/** A norm's weight or a bias [n], in whose place an adapter may have its own (PEFT's `modules_to_save`). */
export class Vector {
  /** In a model's files, such as `model.norm.weight`. */
  readonly name: string;
  #base: tf.Tensor1D;
  #saved: tf.Tensor1D | undefined;
  /** Whether the base differs from the model's files, because an adapter's took its place. */
  changed = false;

  constructor(name: string, base: tf.Tensor1D) {
    this.name = name;
    this.#base = base;
  }

  /** What is computed with. */
  get tensor(): tf.Tensor1D {
    return this.#saved ?? this.#base;
  }

  get base(): tf.Tensor1D {
    return this.#base;
  }

  /** The adapter's, where it has one and the base is kept. */
  get saved(): tf.Tensor1D | undefined {
    return this.#saved;
  }

  get bytes(): number {
    return bytesOf(this.#base) + (this.#saved ? bytesOf(this.#saved) : 0);
  }

  /** Computes with another from now on, and keeps the base beside it if asked to. */
  replace(tensor: tf.Tensor1D, { keepBase }: { keepBase: boolean }): void {
    if (keepBase) this.#saved = tensor;
    else this.reset(tensor, { changed: true });
  }

  /** Takes the adapter's away, where the base was kept. */
  restore(): void {
    this.#saved?.dispose();
    this.#saved = undefined;
  }

  /** Has another base. */
  reset(tensor: tf.Tensor1D, { changed }: { changed: boolean }): void {
    this.#base.dispose();
    this.#base = tensor;
    this.changed = changed;
  }

  dispose(): void {
    this.#base.dispose();
    this.#saved?.dispose();
  }
}

const savedTensors = (vectors: readonly Vector[]): NamedTensors =>
  vectors.flatMap(({ name, saved }): NamedTensors => (saved ? [[`base_model.model.${name}`, saved]] : []));

/** A norm with a weight for each column. */
export class Norm implements ModelPart {
  readonly vectors: readonly [Vector];
  readonly #epsilon: number;
  readonly #unitOffset: boolean;

  /**
   * @param name in a model's files, such as `model.norm`
   * @param options `unitOffset`: the weight is stored as its difference from one
   */
  constructor(
    name: string,
    weight: tf.Tensor1D,
    { epsilon, unitOffset = false }: { epsilon: number; unitOffset?: boolean },
  ) {
    this.vectors = [new Vector(`${name}.weight`, weight)];
    this.#epsilon = epsilon;
    this.#unitOffset = unitOffset;
  }

  /** The root-mean-square norm of the last axis: x [n, d] or [n, heads, d]. */
  forward<T extends tf.Tensor>(x: T): T {
    const weight = this.vectors[0].tensor;
    const norm = (rows: tf.Tensor2D) =>
      rmsNorm(rows, weight, this.#epsilon, { unitOffset: this.#unitOffset });
    if (x.rank === 2) return norm(x as tf.Tensor as tf.Tensor2D) as tf.Tensor as T;
    return tf.reshape(norm(tf.reshape(x, [-1, weight.size]) as tf.Tensor2D), x.shape) as T;
  }

  baseTensors(): NamedTensors {
    return this.vectors.map(({ name, base }) => [name, base]);
  }

  adapterTensors(): NamedTensors {
    return savedTensors(this.vectors);
  }

  get bytes(): number {
    return this.vectors[0].bytes;
  }

  dispose(): void {
    this.vectors[0].dispose();
  }
}

/** A part that is a matrix, on which an adapter may lie. */
export abstract class MatrixPart implements ModelPart {
  /** PEFT's and Hugging Face's name, such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  readonly vectors: readonly Vector[];
  weight: Weight;
  /** What it is used as. */
  abstract readonly use: MatrixUse;

  constructor(name: string, weight: Weight, bias?: tf.Tensor1D) {
    this.name = name;
    this.weight = weight;
    this.vectors = bias ? [new Vector(`${name}.bias`, bias)] : [];
  }

  get bias(): tf.Tensor1D | undefined {
    return this.vectors[0]?.tensor;
  }

  /** The adapter on it, where there is one that is not merged. */
  get adapter(): LoraAdapter | undefined {
    return this.weight.adapter;
  }

  baseTensors(): NamedTensors {
    const tensors = this.weight.baseTensors();
    return [
      ...tensors.map(([end, tensor]): NamedTensors[number] => [`${this.name}.${end}`, tensor]),
      ...this.vectors.map(({ name, base }): NamedTensors[number] => [name, base]),
    ];
  }

  adapterTensors(): NamedTensors {
    const tensors: NamedTensors = [];
    const { adapter, saved } = this.weight;
    if (adapter) {
      const names = adapterTensorNames(this.use);
      tensors.push([names.a, adapter.a], [names.b, adapter.b]);
      if (adapter.magnitude) tensors.push([names.magnitude, adapter.magnitude]);
    }
    if (saved) tensors.push(['weight', saved]);
    return [
      ...tensors.map(([end, tensor]): NamedTensors[number] => [
        `base_model.model.${this.name}.${end}`,
        tensor,
      ]),
      ...savedTensors(this.vectors),
    ];
  }

  get bytes(): number {
    return this.vectors.reduce((sum, { bytes }) => sum + bytes, this.weight.bytes);
  }

  dispose(): void {
    this.weight.dispose();
    for (const vector of this.vectors) vector.dispose();
  }
}

/** x · weightᵀ + bias: x [n, in] → [n, out]. */
export class Projection extends MatrixPart {
  readonly use: MatrixUse = 'projection';

  /** [n, in] → [n, out]. */
  forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D {
    return this.weight.multiply(x, this.bias, pass);
  }
}

/** A row for each token. */
export class Embedding extends MatrixPart {
  readonly use = 'embedding';

  /** The rows of tokens: int32 [n] → [n, d]. */
  forward(rows: tf.Tensor1D, pass: Pass): tf.Tensor2D {
    return this.weight.rows(rows, pass);
  }
}

/** The scores of all tokens. */
export class Head extends Projection {
  override readonly use = 'head';
  readonly #softCap: number | undefined;

  /** @param options `softCap`: scores y become cap · tanh(y / cap) */
  constructor(name: string, weight: Weight, { softCap }: { softCap?: number | undefined } = {}) {
    super(name, weight);
    this.#softCap = softCap;
  }

  override forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D {
    if (this.#softCap === undefined) return super.forward(x, pass);
    return tf.tidy(() => softCapped(super.forward(x, pass), this.#softCap));
  }

  /** log softmax(scores)[label] of rows, without keeping the scores: x [n, d], labels [n] → [n]. */
  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, pass: Pass): tf.Tensor1D {
    return this.weight.labelLogProbs(x, labels, { ...pass, softCap: this.#softCap });
  }
}

/** Several projections of the same input. */
export interface Projections {
  /** Those with a matrix of their own, in the order of files. */
  readonly all: readonly Projection[];
  /** The results [n, out] of each for x [n, in]. */
  forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D[];
}

/** Projections that are a matrix each. */
export class SeparateProjections implements Projections {
  readonly all: readonly Projection[];

  constructor(all: readonly Projection[]) {
    this.all = all;
  }

  forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D[] {
    return LoraWeight.multiplyAll(this.all, x, pass);
  }
}

/** Projections whose matrices are the rows of one, which an adapter changes as a whole. */
export class FusedProjections implements Projections {
  readonly #whole: Projection;
  readonly #widths: number[];

  /** @param widths of the results, which add up to that of the whole */
  constructor(whole: Projection, widths: number[]) {
    this.#whole = whole;
    this.#widths = widths;
  }

  get all(): readonly Projection[] {
    return [this.#whole];
  }

  forward(x: tf.Tensor2D, pass: Pass): tf.Tensor2D[] {
    return tf.split(this.#whole.forward(x, pass), this.#widths, 1);
  }
}
