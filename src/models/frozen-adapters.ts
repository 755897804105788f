import { lowRankSum } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import { allOrNothing } from './all-or-nothing.js';
import type { LoraAdapter } from './lora.js';

/** What is added to one of several products, see `lowRankSum`. */
interface Term {
  readonly b: tf.Tensor2D;
  readonly factor: tf.Tensor1D | undefined;
}

/**
 * Adapters that nothing changes, of matrices that multiply the same input: laid out for products of few rows, whose
 * cost is calls and reads of memory, not arithmetic. All s · A are one matrix, everything is transposed, and DoRA's
 * factors are in B.
 */
export class FrozenAdapters {
  readonly #adapters: readonly LoraAdapter[];
  /** s · Aᵀ side by side: [in, Σ rank]. */
  readonly #a: tf.Tensor2D;
  readonly #terms: readonly Term[];

  private constructor(adapters: readonly LoraAdapter[], a: tf.Tensor2D, terms: readonly Term[]) {
    this.#adapters = adapters;
    this.#a = a;
    this.#terms = terms;
  }

  /** @param factors for DoRA m / ‖W + s · B · A‖ of each row [out] */
  static of(adapters: readonly LoraAdapter[], factors: readonly (tf.Tensor1D | undefined)[]): FrozenAdapters {
    return allOrNothing((own) => {
      const make = <T extends tf.Tensor>(f: () => T): T => own(tf.keep(tf.tidy(f)));
      const a = make(() => {
        const scaled = adapters.map(({ a, scaling }) => tf.mul(a as tf.Tensor2D, scaling) as tf.Tensor2D);
        return tf.transpose(tf.concat(scaled, 0));
      });
      const terms = adapters.map(({ b }, i): Term => {
        const factor = factors[i];
        const transposed = () => tf.transpose(b as tf.Tensor2D);
        return {
          b: make(() => (factor ? tf.mul(transposed(), factor) : transposed())),
          factor: factor && make(() => factor.clone()),
        };
      });
      return new FrozenAdapters(adapters, a, terms);
    });
  }

  /** Whether it was made of these. */
  isOf(adapters: readonly LoraAdapter[]): boolean {
    return (
      this.#adapters.length === adapters.length &&
      this.#adapters.every((adapter, i) => adapter === adapters[i])
    );
  }

  /** The products [n, out] of x [n, in] with the matrices and their adapters, given those without, which it takes. */
  addTo(products: readonly tf.Tensor2D[], x: tf.Tensor2D): tf.Tensor2D[] {
    const terms = this.#terms.map((term, i) => ({ ...term, sum: products[i] as tf.Tensor2D }));
    return lowRankSum(x, this.#a, terms);
  }

  dispose(): void {
    tf.dispose([this.#a, ...this.#terms.flatMap(({ b, factor }) => (factor ? [b, factor] : [b]))]);
  }
}
