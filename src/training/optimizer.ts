import {
  adamW,
  type RoundedBlocks,
  type RoundedKind,
  roundBlocks,
  wholeBlocks,
} from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';

export interface AdamWOptions {
  readonly weightDecay: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Keep the moments in 8 bits: two bytes for each weight in place of eight. */
  readonly roundsMoments?: boolean;
}

/** Changes variables by their gradients, with a state that can be saved. */
export interface Optimizer {
  /**
   * Updates the variables in place. A variable without a gradient is left alone.
   * @param gradients by `variable.name`
   * @param step counted from 1
   */
  update(gradients: tf.NamedTensorMap, step: number, learningRate: number): void | Promise<void>;
  /** Everything that an exact continuation needs, by name; the variables themselves are `param.…`. */
  tensors(): Map<string, OptimizerTensor>;
  /** Frees what it holds beside the variables, which belong to the decoder. */
  dispose(): void;
}

/** A way to train: an optimizer of variables, and what it keeps of each of them between steps. */
export interface Method {
  new (variables: ReadonlyMap<string, tf.Variable>, options: AdamWOptions): Optimizer;
  /** Kinds of state of a variable, each of its shape: `exp_avg` and such, as {@link Optimizer.tensors} names them. */
  stateOf(name: string, variable: tf.Variable): readonly string[];
}

/** A running moment of a variable, however it is kept. */
interface Moment {
  /** It in float32, for one step; {@link put} takes it back. */
  take(): tf.Variable;
  put(whole: tf.Variable): void;
  dispose(): void;
}

/** What an optimizer keeps of a variable, in single precision whatever the weights are kept in. */
export const zeroState = (shape: number[]): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(shape), false));

/** A moment that is kept as it is. */
class WholeMoment implements Moment {
  readonly #values: tf.Variable;

  constructor(shape: number[]) {
    this.#values = zeroState(shape);
  }

  take(): tf.Variable {
    return this.#values;
  }

  put(): void {}

  dispose(): void {
    this.#values.dispose();
  }
}

/** A moment that is rounded to 8 bits between steps (Dettmers et al. 2021, on a logarithmic scale). */
class RoundedMoment implements Moment {
  readonly #shape: number[];
  readonly #kind: RoundedKind;
  #blocks: RoundedBlocks;

  constructor(shape: number[], kind: RoundedKind) {
    this.#shape = shape;
    this.#kind = kind;
    this.#blocks = this.#round(() => tf.zeros(shape));
  }

  #round(values: () => tf.Tensor): RoundedBlocks {
    return tf.tidy(() => {
      const { words, scales } = roundBlocks(values(), this.#kind);
      return { words: tf.keep(words), scales: tf.keep(scales) };
    });
  }

  take(): tf.Variable {
    return tf.tidy(() => tf.variable(wholeBlocks(this.#blocks, this.#shape, this.#kind), false));
  }

  put(whole: tf.Variable): void {
    const before = this.#blocks;
    this.#blocks = this.#round(() => whole);
    tf.dispose([before.words, before.scales]);
    whole.dispose();
  }

  dispose(): void {
    tf.dispose([this.#blocks.words, this.#blocks.scales]);
  }
}

/** A trainable variable and its running moments. */
interface TrainedVariable {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly firstMoment: Moment;
  readonly secondMoment: Moment;
}

/** Values of an optimizer that a checkpoint keeps. */
export interface OptimizerTensor {
  readonly shape: number[];
  read(): Promise<Float32Array>;
  write(values: Float32Array): void;
}

/** A variable as a checkpoint keeps it. */
export function ofVariable(variable: tf.Variable): OptimizerTensor {
  return {
    shape: variable.shape,
    read: () => variable.data<'float32'>(),
    write: (values) => tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, 'float32'))),
  };
}

/** What is read and written again is the same to the bit, rounded or not. */
function ofMoment(moment: Moment, shape: number[]): OptimizerTensor {
  return {
    shape,
    async read() {
      const whole = moment.take();
      const values = await whole.data<'float32'>();
      moment.put(whole);
      return values;
    },
    write(values) {
      const whole = moment.take();
      tf.tidy(() => whole.assign(tf.tensor(values, shape, 'float32')));
      moment.put(whole);
    },
  };
}

/** Biases and norms are not decayed, as in transformers' Trainer. */
export const decays = (name: string) => !/bias|norm\b|norm\.|layernorm/i.test(name);

/**
 * Gives a variable a copy of its values when another tensor shares them: `tf.variable(x)` and `clone` only
 * count references, and an optimizer writes in place.
 */
export function ownValues(variable: tf.Variable): void {
  if (tf.backend().refCount(variable.dataId) > 1) tf.tidy(() => variable.assign(tf.mul(variable, 1)));
}

/** AdamW (Loshchilov & Hutter 2019) over named variables, with a state that can be saved. */
export class AdamW implements Optimizer {
  static readonly stateOf = (): readonly string[] => ['exp_avg', 'exp_avg_sq'];
  readonly #slots: readonly TrainedVariable[];
  readonly #options: Required<AdamWOptions>;

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: AdamWOptions) {
    this.#options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, roundsMoments: false, ...options };
    const moment = (shape: number[], kind: RoundedKind) =>
      this.#options.roundsMoments ? new RoundedMoment(shape, kind) : new WholeMoment(shape);
    for (const variable of variables.values()) ownValues(variable);
    this.#slots = [...variables].map(([name, variable]) => ({
      name,
      variable,
      firstMoment: moment(variable.shape, 'signed'),
      secondMoment: moment(variable.shape, 'positive'),
    }));
  }

  update(gradients: tf.NamedTensorMap, step: number, learningRate: number): void {
    const { weightDecay, beta1, beta2, epsilon } = this.#options;
    for (const decayed of [true, false]) {
      const slots = this.#slots.filter(
        ({ name, variable }) => gradients[variable.name] && decays(name) === decayed,
      );
      // rounded moments are whole for one variable at a time
      const groups = this.#options.roundsMoments ? slots.map((slot) => [slot]) : [slots];
      for (const group of groups) {
        if (group.length === 0) continue;
        const first = group.map(({ firstMoment }) => firstMoment.take());
        const second = group.map(({ secondMoment }) => secondMoment.take());
        adamW(
          group.map(({ variable }) => variable),
          group.map(({ variable }) => gradients[variable.name]!),
          first,
          second,
          { lr: learningRate, beta1, beta2, epsilon, weightDecay: decayed ? weightDecay : 0, step },
        );
        for (const [i, { firstMoment, secondMoment }] of group.entries()) {
          firstMoment.put(first[i]!);
          secondMoment.put(second[i]!);
        }
      }
    }
  }

  /** `param.…`, `exp_avg.…` and `exp_avg_sq.…`. */
  tensors(): Map<string, OptimizerTensor> {
    return new Map(
      this.#slots.flatMap(({ name, variable, firstMoment, secondMoment }) => [
        [`param.${name}`, ofVariable(variable)] as const,
        [`exp_avg.${name}`, ofMoment(firstMoment, variable.shape)] as const,
        [`exp_avg_sq.${name}`, ofMoment(secondMoment, variable.shape)] as const,
      ]),
    );
  }

  dispose(): void {
    for (const { firstMoment, secondMoment } of this.#slots) {
      firstMoment.dispose();
      secondMoment.dispose();
    }
  }
}
