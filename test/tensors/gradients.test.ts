import { beforeAll, describe, expect, test } from 'vitest';
import { initBackend } from '../../src/tensors/backend.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import * as tf from '../../src/tensors/tf.js';
import { webGpuUnderTest } from '../prerequisites/index.js';

/** A value in which `a` is used twice, `b` once through an addition that hands its gradient on, and `c` not at all. */
function example(): { f: () => tf.Scalar; variables: Record<'a' | 'b' | 'c', tf.Variable> } {
  const variables = {
    a: tf.variable(tf.tensor1d([1, 2, 3])),
    b: tf.variable(tf.tensor1d([4, 5, 6])),
    c: tf.variable(tf.tensor1d([7, 8, 9])),
  };
  const { a, b } = variables;
  const f = () => tf.sum(tf.mul(tf.add(tf.mul(a, a), b), tf.exp(tf.neg(a)))) as tf.Scalar;
  return { f, variables };
}

describe.each(['wasm', ...webGpuUnderTest()])('variableGrads on backend %s', (backend) => {
  beforeAll(() => initBackend(backend));

  test('gives what tfjs gives, and nothing for a variable that plays no part', async () => {
    const { f, variables } = example();
    const list = Object.values(variables);
    const ours = variableGrads(f, list);
    const theirs = tf.variableGrads(f, list);
    expect(await ours.value.data()).toEqual(await theirs.value.data());
    expect(Object.keys(ours.grads)).toEqual([variables.a.name, variables.b.name]);
    for (const [name, gradient] of Object.entries(ours.grads)) {
      expect(await gradient.data(), name).toEqual(await theirs.grads[name]!.data());
    }
    tf.dispose([ours, theirs]);
    tf.dispose(list);
  });

  test('leaves nothing behind, also when the value cannot be computed', () => {
    const { f, variables } = example();
    const list = Object.values(variables);
    const before = tf.memory().numTensors;
    const { value, grads } = variableGrads(f, list);
    expect(tf.memory().numTensors).toBe(before + 1 + Object.keys(grads).length);
    tf.dispose([value, grads]);
    expect(() =>
      variableGrads(() => {
        f();
        throw new Error('no value');
      }, list),
    ).toThrow('no value');
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(variableGrads(f, list));
    tf.dispose(list);
  });

  test('gradients of gradients by tfjs itself, through what is saved', async () => {
    const cube = (x: tf.Tensor) => tf.mul(tf.square(x), x);
    const slope = tf.grad(cube);
    const curvature = tf.grad((x: tf.Tensor) => slope(x));
    const x = tf.tensor1d([1, -2, 0.5]);
    const y = curvature(x);
    expect([...(await y.data())]).toEqual([6, -12, 3]);
    tf.dispose([x, y]);
  });

  test('frees gradients and saved tensors on the way', () => {
    const x = tf.variable(tf.ones([1000]));
    const depth = 50;
    /** The most tensors alive at any gradient of a long chain. */
    const mostAlive = (compute: (f: () => tf.Scalar, list: tf.Variable[]) => unknown): number => {
      let most = 0;
      const counted = tf.customGrad((input) => ({
        value: (input as tf.Tensor).clone(),
        gradFunc: (dy) => {
          most = Math.max(most, tf.memory().numTensors);
          return (dy as tf.Tensor).clone();
        },
      }));
      const f = () => {
        let y: tf.Tensor = x;
        for (let i = 0; i < depth; i++) y = tf.tidy(() => counted(tf.sin(y)));
        return tf.sum(y) as tf.Scalar;
      };
      const before = tf.memory().numTensors;
      tf.dispose(compute(f, [x]) as tf.TensorContainer);
      return most - before;
    };
    const ours = mostAlive(variableGrads);
    const theirs = mostAlive(tf.variableGrads);
    // tfjs holds two gradients and a saved input for every step of the chain until the end
    expect(theirs - ours).toBeGreaterThan(depth);
    x.dispose();
  });
});
