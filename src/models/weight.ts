import type { Rng } from '../common/rng.js';
import { type FloatType, floatTypeOf, toFloatType } from '../tensors/float-type.js';
import { embedding, headLogProbs, project } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { LoraAdapter } from './lora.js';

/** What one forward pass passes down to every part of a model. */
export interface Pass {
  training: boolean;
  /** Draws a seed of dropout for each adapter in turn. */
  rng?: Rng | undefined;
  /** What names the dropout mask of each row: int32 [n]. */
  names?: tf.Tensor1D | undefined;
  /** Where results that depend on the weights alone are kept, when they may be reused. */
  derived?: Map<string, tf.Tensor> | undefined;
}

/** What the head is passed beside that. */
export interface HeadPass extends Pass {
  /** Scores y become cap · tanh(y / cap); they stay as they are when absent. */
  softCap?: number | undefined;
}

/** Tensors by their names in files. */
export type NamedTensors = [name: string, tensor: tf.Tensor][];

/**
 * The matrix [out, in] of a projection or of the tokens, whatever it is kept as: dense, dense with a low-rank adapter
 * on top, or the two merged. What else a matrix may be kept as (quantised, in parts on several devices) is one more
 * class like these. A weight owns its tensors and is replaced as a whole: `merged` and `unmerged` give the weight
 * that takes its place.
 */
export interface Weight {
  /** Rows and columns: the widths of results and of inputs. */
  readonly shape: readonly [out: number, input: number];
  /** What the base is kept and multiplied in. */
  readonly floatType: FloatType;
  /** The adapter on top, where there is one that is not merged. */
  readonly adapter?: LoraAdapter;
  /** What an adapter has in the place of the base's matrix (PEFT's `modules_to_save`), where the base is kept. */
  readonly saved?: tf.Tensor2D;
  /** Whether it differs from the model's files, because an adapter was merged into it or taken out of it. */
  readonly changed: boolean;
  /** Whether a sum with an adapter may take its place; if not, adapters stay beside it. */
  readonly takesSums: boolean;
  /** Bytes of everything that it keeps. */
  readonly bytes: number;
  /** x · weightᵀ + bias: x [n, in], bias [out] → [n, out], in x's type. */
  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined, pass: Pass): tf.Tensor2D;
  /** Rows of it, as a table of embeddings: ids int32 [n] → [n, in]. */
  rows(ids: tf.Tensor1D, pass: Pass): tf.Tensor2D;
  /** log softmax(x · weightᵀ)[label], the scores capped first, without keeping them: x [n, in], labels [n] → float32 [n]. */
  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, pass: HeadPass): tf.Tensor1D;
  /** The whole matrix in float32, adapter included, as a new tensor [out, in]. */
  dense(): tf.Tensor2D;
  /** What it keeps of the base, by the ends of names in a model's files. */
  baseTensors(): NamedTensors;
  /** The same matrix without an adapter on top; `keepBase` keeps what `unmerged` needs, in memory. */
  merged(options: { keepBase: boolean }): Weight;
  /** The base without its adapter, bit for bit unless it is `changed`. */
  unmerged(): Weight;
  dispose(): void;
}

/** A matrix that is one tensor. */
export class DenseWeight implements Weight {
  readonly tensor: tf.Tensor2D;
  readonly changed: boolean;
  readonly takesSums = true;

  constructor(tensor: tf.Tensor2D, { changed = false }: { changed?: boolean } = {}) {
    this.tensor = tensor;
    this.changed = changed;
  }

  get shape(): [out: number, input: number] {
    return this.tensor.shape;
  }

  get floatType(): FloatType {
    return floatTypeOf(this.tensor);
  }

  get bytes(): number {
    return bytesOf(this.tensor);
  }

  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined): tf.Tensor2D {
    return project(x, this.tensor, bias);
  }

  rows(ids: tf.Tensor1D): tf.Tensor2D {
    return embedding(this.tensor, ids);
  }

  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, { softCap }: HeadPass): tf.Tensor1D {
    return headLogProbs(x, this.tensor, tf.tensor1d(labels, 'int32'), softCap);
  }

  dense(): tf.Tensor2D {
    const same = tf.tidy(() => toFloatType(this.tensor, 'float32'));
    return same === this.tensor ? same.clone() : same;
  }

  baseTensors(): NamedTensors {
    return [['weight', this.tensor]];
  }

  merged(): Weight {
    return this;
  }

  unmerged(): Weight {
    return this;
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/** A matrix that another weight keeps. */
abstract class DelegatingWeight implements Weight {
  readonly takesSums = true;

  /** @param matrix what is multiplied and read */
  constructor(protected readonly matrix: Weight) {}

  get shape(): readonly [out: number, input: number] {
    return this.matrix.shape;
  }

  get floatType(): FloatType {
    return this.matrix.floatType;
  }

  get changed(): boolean {
    return this.matrix.changed;
  }

  multiply(x: tf.Tensor2D, bias: tf.Tensor1D | undefined, pass: Pass): tf.Tensor2D {
    return this.matrix.multiply(x, bias, pass);
  }

  rows(ids: tf.Tensor1D, pass: Pass): tf.Tensor2D {
    return this.matrix.rows(ids, pass);
  }

  labelLogProbs(x: tf.Tensor2D, labels: Int32Array, pass: HeadPass): tf.Tensor1D {
    return this.matrix.labelLogProbs(x, labels, pass);
  }

  dense(): tf.Tensor2D {
    return this.matrix.dense();
  }

  baseTensors(): NamedTensors {
    return this.matrix.baseTensors();
  }

  abstract readonly bytes: number;
  abstract merged(options: { keepBase: boolean }): Weight;
  abstract unmerged(): Weight;
  abstract dispose(): void;
}

/** A matrix with an adapter merged into it, beside the base that it was. */
export class MergedWeight extends DelegatingWeight {
  readonly #base: Weight;

  constructor(sum: Weight, base: Weight) {
    super(sum);
    this.#base = base;
  }

  override get changed(): boolean {
    return this.#base.changed;
  }

  get bytes(): number {
    return this.matrix.bytes + this.#base.bytes;
  }

  override baseTensors(): NamedTensors {
    return this.#base.baseTensors();
  }

  merged({ keepBase }: { keepBase: boolean }): Weight {
    if (keepBase) return this;
    this.#base.dispose();
    return this.matrix;
  }

  unmerged(): Weight {
    this.matrix.dispose();
    return this.#base;
  }

  dispose(): void {
    this.matrix.dispose();
    this.#base.dispose();
  }
}

/** A matrix of an adapter in the place of the base's, beside it. */
export class ReplacedWeight extends MergedWeight {
  readonly saved: tf.Tensor2D;

  constructor(saved: tf.Tensor2D, base: Weight) {
    super(new DenseWeight(saved, { changed: true }), base);
    this.saved = saved;
  }
}

/** A matrix that is that of another part, too, as tied embeddings and head: it goes with the last that has it. */
export class SharedWeight extends DelegatingWeight {
  /** The weights of this matrix whose parts still have it. */
  readonly #holders: Set<SharedWeight>;

  constructor(matrix: Weight, holders = new Set<SharedWeight>()) {
    super(matrix);
    this.#holders = holders;
    holders.add(this);
  }

  /** The same matrix for one more part. */
  share(): SharedWeight {
    return new SharedWeight(this.matrix, this.#holders);
  }

  /** Whether another weight is this matrix. */
  isSharedWith(other: Weight): boolean {
    return other instanceof SharedWeight && other.#holders === this.#holders;
  }

  /** The bytes divided among the parts that share it, so that the sum over parts is right. */
  get bytes(): number {
    return this.matrix.bytes / this.#holders.size;
  }

  merged(): Weight {
    return this;
  }

  unmerged(): Weight {
    return this;
  }

  dispose(): void {
    if (this.#holders.delete(this) && this.#holders.size === 0) this.matrix.dispose();
  }
}

/** Bytes of a tensor's elements in the type in which the backend keeps them. */
export function bytesOf(tensor: tf.Tensor): number {
  return tensor.size * (floatTypeOf(tensor) === 'float32' ? 4 : 2);
}
