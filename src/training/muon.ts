import * as tf from '../tensors/tf.js';
import {
  AdamW,
  type AdamWOptions,
  decays,
  type Optimizer,
  type OptimizerTensor,
  ofVariable,
  ownValues,
  zeroState,
} from './optimizer.js';

/** How much of the sum of the gradients stays with each step. */
const momentum = 0.95;

/** How often {@link orthogonalize} brings singular values nearer to 1. */
const iterations = 5;

/** Of the odd polynomial a·x + b·x³ + c·x⁵ of the iteration, steepest at 0 (Jordan 2024). */
const [a, b, c] = [3.4445, -4.775, 2.0315] as const;

/** The root mean square of AdamW's updates at a learning rate of 1, which those of Muon get, too (Liu et al. 2025). */
const updateSize = 0.2;

/** Numbers that are orthogonalized together, so that a large model needs no second copy of all its matrices: 32 MB. */
const maxStacked = 1 << 23;

/**
 * Matrices with the singular vectors of those given, and singular values between about 0.7 and 1.2, by the iteration of
 * Newton and Schulz. Zeros stay zeros.
 * @param matrices [n, rows, columns] with rows ≤ columns; → the same shape
 */
export function orthogonalize(matrices: tf.Tensor3D): tf.Tensor3D {
  return tf.tidy(() => {
    const norms = tf.sqrt(tf.sum(tf.square(matrices), [1, 2], true));
    let x: tf.Tensor3D = tf.div(matrices, tf.maximum(norms, 1e-7));
    for (let i = 0; i < iterations; i++) {
      const gram = tf.matMul(x, x, false, true);
      const weights = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c));
      x = tf.add(tf.mul(x, a), tf.matMul(weights, x));
    }
    return x;
  });
}

/** A matrix of a layer, and the decaying sum of its gradients. */
interface TrainedMatrix {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly sum: tf.Variable;
  /** More rows than columns: orthogonalized on its side. */
  readonly tall: boolean;
}

/** Whether Muon is for a variable: not for vectors, nor for tables and heads, whose rows are not used together. */
const isMatrixOfLayer = (name: string, { rank }: tf.Variable) => rank === 2 && /\blayers\.\d+\./.test(name);

/** Matrices of one size, up to {@link maxStacked} numbers of them, which are orthogonalized together. */
function stacks(matrices: readonly TrainedMatrix[]): TrainedMatrix[][] {
  const all: TrainedMatrix[][] = [];
  const open = new Map<string, TrainedMatrix[]>();
  for (const matrix of matrices) {
    const key = matrix.variable.shape.toSorted((p, q) => p - q).join('×');
    const stack = open.get(key);
    if (stack && (stack.length + 1) * matrix.variable.size <= maxStacked) {
      stack.push(matrix);
      continue;
    }
    const fresh = [matrix];
    all.push(fresh);
    open.set(key, fresh);
  }
  return all;
}

/**
 * Muon (Jordan 2024) for the matrices of the layers and AdamW for everything else, as torch.optim.Muon with
 * `match_rms_adamw`: an update of a matrix has the size of one of AdamW, so that one learning rate serves both.
 */
export class Muon implements Optimizer {
  static readonly stateOf = (name: string, variable: tf.Variable): readonly string[] =>
    isMatrixOfLayer(name, variable) ? ['momentum_buffer'] : AdamW.stateOf();

  readonly #stacks: readonly (readonly TrainedMatrix[])[];
  readonly #rest: AdamW;
  readonly #weightDecay: number;

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: AdamWOptions) {
    const isMine = ([name, variable]: [string, tf.Variable]) => isMatrixOfLayer(name, variable);
    const mine = [...variables].filter(isMine);
    for (const [, variable] of mine) ownValues(variable);
    this.#stacks = stacks(
      mine.map(([name, variable]) => ({
        name,
        variable,
        sum: zeroState(variable.shape),
        tall: variable.shape[0]! > variable.shape[1]!,
      })),
    );
    this.#rest = new AdamW(new Map([...variables].filter((entry) => !isMine(entry))), options);
    this.#weightDecay = options.weightDecay;
  }

  update(gradients: tf.NamedTensorMap, step: number, learningRate: number): void {
    this.#rest.update(gradients, step, learningRate);
    for (const stack of this.#stacks) {
      const matrices = stack.filter(({ variable }) => gradients[variable.name]);
      if (matrices.length > 0) tf.tidy(() => this.#updateMatrices(matrices, gradients, learningRate));
    }
  }

  #updateMatrices(
    matrices: readonly TrainedMatrix[],
    gradients: tf.NamedTensorMap,
    learningRate: number,
  ): void {
    const directions = matrices.map(({ variable, sum, tall }) => {
      const gradient = gradients[variable.name]!;
      sum.assign(tf.add(tf.mul(sum, momentum), gradient));
      // Nesterov's: where the next step would look
      const ahead = tf.add(tf.mul(sum, momentum), gradient) as tf.Tensor2D;
      return tall ? tf.transpose(ahead) : ahead;
    });
    const updates = tf.unstack(orthogonalize(tf.stack(directions) as tf.Tensor3D)) as tf.Tensor2D[];
    for (const [i, { name, variable, tall }] of matrices.entries()) {
      const update = tall ? tf.transpose(updates[i]!) : updates[i]!;
      const kept = decays(name) ? 1 - learningRate * this.#weightDecay : 1;
      const rate = learningRate * updateSize * Math.sqrt(Math.max(...variable.shape));
      variable.assign(tf.sub(tf.mul(variable, kept), tf.cast(tf.mul(update, rate), variable.dtype)));
    }
  }

  /** Those of AdamW, and `param.…` and `momentum_buffer.…` of the matrices. */
  tensors(): Map<string, OptimizerTensor> {
    const own = this.#stacks
      .flat()
      .flatMap(({ name, variable, sum }) => [
        [`param.${name}`, ofVariable(variable)] as const,
        [`momentum_buffer.${name}`, ofVariable(sum)] as const,
      ]);
    return new Map([...this.#rest.tensors(), ...own]);
  }

  dispose(): void {
    for (const { sum } of this.#stacks.flat()) sum.dispose();
    this.#rest.dispose();
  }
}
