import { adamW } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';

export interface OptimizerOptions {
  readonly weightDecay: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** A trainable variable and its running moments. */
interface TrainedVariable {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly firstMoment: tf.Variable;
  readonly secondMoment: tf.Variable;
}

/** Biases and norms are not decayed, as in transformers' Trainer. */
const decays = (name: string) => !/bias|norm\b|norm\.|layernorm/i.test(name);

/**
 * Gives a variable a copy of its values when another tensor shares them: `tf.variable(x)` and `clone` only
 * count references, and the optimizer's kernel writes in place.
 */
function ownValues(variable: tf.Variable): void {
  if (tf.backend().refCount(variable.dataId) > 1) tf.tidy(() => variable.assign(tf.mul(variable, 1)));
}

/** AdamW (Loshchilov & Hutter 2019) over named variables, with a state that can be saved. */
export class AdamW {
  readonly #slots: readonly TrainedVariable[];
  readonly #options: Required<OptimizerOptions>;

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: OptimizerOptions) {
    this.#options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, ...options };
    for (const variable of variables.values()) ownValues(variable);
    this.#slots = [...variables].map(([name, variable]) => ({
      name,
      variable,
      // moments stay in single precision whatever the weights are kept in
      firstMoment: tf.tidy(() => tf.variable(tf.zeros(variable.shape), false)),
      secondMoment: tf.tidy(() => tf.variable(tf.zeros(variable.shape), false)),
    }));
  }

  /**
   * Updates the variables in place. A variable without a gradient is left alone.
   * @param gradients by `variable.name`
   * @param step counted from 1, for the bias correction
   */
  update(gradients: tf.NamedTensorMap, step: number, learningRate: number): void {
    const { weightDecay, beta1, beta2, epsilon } = this.#options;
    for (const decayed of [true, false]) {
      const slots = this.#slots.filter(
        ({ name, variable }) => gradients[variable.name] && decays(name) === decayed,
      );
      if (slots.length === 0) continue;
      adamW(
        slots.map(({ variable }) => variable),
        slots.map(({ variable }) => gradients[variable.name]!),
        slots.map(({ firstMoment }) => firstMoment),
        slots.map(({ secondMoment }) => secondMoment),
        { lr: learningRate, beta1, beta2, epsilon, weightDecay: decayed ? weightDecay : 0, step },
      );
    }
  }

  /** Everything that an exact continuation needs, by name: `param.…`, `exp_avg.…` and `exp_avg_sq.…`. */
  tensors(): Map<string, tf.Variable> {
    return new Map(
      this.#slots.flatMap(({ name, variable, firstMoment, secondMoment }) => [
        [`param.${name}`, variable] as const,
        [`exp_avg.${name}`, firstMoment] as const,
        [`exp_avg_sq.${name}`, secondMoment] as const,
      ]),
    );
  }

  /** Frees the moments (the variables belong to the decoder). */
  dispose(): void {
    for (const { firstMoment, secondMoment } of this.#slots) {
      firstMoment.dispose();
      secondMoment.dispose();
    }
  }
}
