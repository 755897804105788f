/** The named kernels on the device, values and gradients, against tfjs' plain backend on the processor. */
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { floatTypeOf, toFloatType } from '../../src/tensors/float-type.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import {
  adamW,
  cachedAttention,
  embedding,
  frozenLinear,
  headLogProbs,
  kvCacheWrite,
  linear,
  packedAttention,
  rmsNorm,
  rotaryEmbedding,
  swiGlu,
} from '../../src/tensors/ops/index.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';

type T = tf.Tensor;
type Computation = (...tensors: T[]) => T;

/** Shapes of what is given, what is computed of it, and whether it has a gradient for all that is given. */
export interface Case {
  readonly name: string;
  readonly shapes: number[][];
  readonly f: Computation;
  readonly gradient: boolean;
}

/** How far results in a type may be from those in float32, relative to the largest. */
const tolerance: Record<FloatType, number> = { float32: 1e-3, float16: 0.01, bfloat16: 0.05 };

const ints = (...values: number[]) => tf.tensor1d(values, 'int32');
const segments = Int32Array.from([0, 37, 38, 90]);

/** Shapes of what is given, and what is computed of it; every one has a gradient for all that is given. */
const computations: Record<string, [shapes: number[][], f: Computation]> = {
  matMul: [
    [
      [50, 40],
      [40, 30],
    ],
    (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D),
  ],
  linear: [
    [[90, 64], [32, 64], [32]],
    (x, w, b) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D),
  ],
  frozenLinear: [
    [[90, 64]],
    (x) => frozenLinear(x as tf.Tensor2D, toFloatType(tf.fill([32, 64], 0.1), floatTypeOf(x))),
  ],
  rmsNorm: [[[90, 64], [64]], (x, w) => rmsNorm(x as tf.Tensor2D, w as tf.Tensor1D, 1e-6)],
  swiGlu: [
    [
      [90, 64],
      [90, 64],
    ],
    (g, u) => swiGlu(g as tf.Tensor2D, u as tf.Tensor2D),
  ],
  rotaryEmbedding: [
    [[90, 6, 64]],
    (x) => {
      const angles = tf.reshape(tf.mul(tf.range(0, 90 * 32), 0.01), [90, 32]) as tf.Tensor2D;
      return rotaryEmbedding(x as tf.Tensor3D, tf.cos(angles), tf.sin(angles));
    },
  ],
  packedAttention: [
    [
      [90, 6, 64],
      [90, 2, 64],
      [90, 2, 64],
    ],
    (q, k, v) => packedAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, segments, 0.125),
  ],
  embedding: [[[50, 64]], (table) => embedding(table as tf.Tensor2D, ints(3, 3, 49, 0, 3))],
  headLogProbs: [
    [
      [5, 64],
      [300, 64],
    ],
    (x, head) => headLogProbs(tf.mul(x, 0.1) as tf.Tensor2D, head as tf.Tensor2D, ints(1, 299, 0, 7, 7)),
  ],
  softmax: [[[20, 300]], (x) => tf.softmax(x)],
};

/** Forms of the cached kernels: several prompts and single rows, in any order of slots. */
const cached: Computation = (q, keys, values, rows) => {
  const cache = tf.variable(keys);
  const slots = ints(2, 2, 2, 2, 0, 3, 1, 1);
  kvCacheWrite(cache, rows as tf.Tensor3D, slots, ints(3, 4, 5, 6, 6, 1, 0, 1));
  const out = cachedAttention(
    q as tf.Tensor3D,
    cache as unknown as tf.Tensor4D,
    values as tf.Tensor4D,
    slots,
    ints(4, 5, 6, 7, 7, 2, 1, 2),
    0.125,
  );
  cache.dispose();
  return out;
};
const cachedShapes = [
  [8, 6, 64],
  [4, 2, 9, 64],
  [4, 2, 9, 64],
  [8, 2, 64],
];

function draw(shapes: number[][]): Float32Array[] {
  const rng = Rng.of(1, 'gpu');
  return shapes.map((shape) =>
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
  );
}

/** Values, and gradients of a weighted sum of them. */
function evaluate(
  shapes: number[][],
  values: Float32Array[],
  type: FloatType,
  f: Computation,
  gradient: boolean,
): Float32Array[] {
  const inputs = () => shapes.map((shape, i) => toFloatType(tf.tensor(values[i]!, shape), type));
  const results = [tf.tidy(() => f(...inputs()).dataSync() as Float32Array)];
  if (!gradient) return results;
  const variables = tf.tidy(() => inputs().map((x) => tf.variable(x)));
  const { value, grads } = variableGrads(() => {
    const out = f(...variables);
    return tf.sum(tf.mul(out, tf.reshape(tf.cos(tf.range(0, out.size)), out.shape))) as tf.Scalar;
  }, variables);
  results.push(...variables.map(({ name }) => Float32Array.from(grads[name]!.dataSync())));
  tf.dispose([value, grads, ...variables]);
  return results;
}

function adamSteps(values: Float32Array[]): Float32Array[] {
  const [p, g, m, v] = values.map((list, i) =>
    tf.variable(tf.tensor1d(i === 3 ? list.map((x) => x * x) : list)),
  ) as [tf.Variable, tf.Variable, tf.Variable, tf.Variable];
  adamW([p], [g], [m], [v], { lr: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, step: 2 });
  const result = [p, m, v].map((x) => Float32Array.from(x.dataSync()));
  tf.dispose([p, g, m, v]);
  return result;
}

/** The largest difference, relative to the largest value. */
function worst(actual: Float32Array[], expected: Float32Array[]): number {
  return Math.max(
    ...expected.map((values, i) => {
      const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      const gap = values.reduce((most, value, j) => Math.max(most, Math.abs(value - actual[i]![j]!)), 0);
      return actual[i]!.some(Number.isNaN) ? Infinity : gap / size;
    }),
  );
}

/** Compares cases on the device with tfjs' plain backend. @returns what failed */
export async function compareCases(
  device: string,
  types: readonly FloatType[],
  cases: readonly Case[],
): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, shapes, f, gradient } of cases) {
    const values = draw(shapes);
    await initBackend('cpu');
    const expected = evaluate(shapes, values, 'float32', f, gradient);
    await initBackend('torch', { device });
    const errors = types.map((type) => {
      const error = worst(evaluate(shapes, values, type, f, gradient), expected);
      if (!(error < tolerance[type])) failed.push(`${name} in ${type}: ${error}`);
      return `${type} ${error.toExponential(1)}`;
    });
    console.log(`  ${name.padEnd(28)}${errors.join('   ')}`);
  }
  return failed;
}

/** The kernels that training and decoding cannot do without. @returns what failed */
export async function conformance(device: string, types: readonly FloatType[]): Promise<string[]> {
  const failed = await compareCases(device, types, [
    ...Object.entries(computations).map(([name, [shapes, f]]) => ({ name, shapes, f, gradient: true })),
    { name: 'cachedAttention', shapes: cachedShapes, f: cached, gradient: false },
  ]);
  const values = draw([[100], [100], [100], [100]]);
  await initBackend('cpu');
  const expected = adamSteps(values);
  await initBackend('torch', { device });
  const error = worst(adamSteps(values), expected);
  if (!(error < tolerance.float32)) failed.push(`adamW: ${error}`);
  console.log(`  ${'adamW'.padEnd(28)}float32 ${error.toExponential(1)}`);
  return failed;
}
