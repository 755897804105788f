/** Native memory is not seen by the garbage collector: what a step makes, it frees. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { adamW, packedAttention, rmsNorm, swiGlu } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest, nativeBackends } from '../prerequisites/index.js';

// the embedded backend has a test of its own memory
const present = backendsUnderTest();
describe.each(nativeBackends.map((backend) => ({ backend })))('$backend', ({ backend }) => {
  const test = it.skipIf(!present.includes(backend));

  test('memory stays flat over 2,000 training steps', async () => {
    await initBackend(backend);
    const rng = Rng.of(2, 'flat');
    const variable = (values: tf.Tensor) => tf.tidy(() => tf.variable(values));
    const weight = variable(
      tf.tensor2d(
        Array.from({ length: 48 }, () => rng.normal()),
        [6, 8],
      ),
    );
    const scale = variable(tf.ones([8]));
    const moments = [0, 1].map(() => variable(tf.zeros([6, 8])));
    const step = (i: number): void => {
      const n = 1 + (i % 7);
      const { value, grads } = tf.variableGrads(() => {
        const product = tf.matMul(tf.fill([n, 6], 0.5), weight as tf.Tensor2D) as tf.Tensor2D;
        const heads = tf.reshape(rmsNorm(product, scale as tf.Tensor1D, 1e-6), [n, 2, 4]) as tf.Tensor3D;
        return tf.sum(tf.square(packedAttention(heads, heads, heads, Int32Array.from([0, n]), 0.5)));
      }, [weight]);
      const gradient = grads[weight.name] as tf.Tensor;
      const options = { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step: i + 1 };
      adamW([weight], [gradient], [moments[0]!], [moments[1]!], options);
      tf.dispose([value, gradient]);
    };
    for (let i = 0; i < 50; i++) step(i);
    const state = () => ({ tensors: tf.memory().numTensors, ...tf.backend().memory() });
    const before = state();
    // how far V8 lets its own heap grow before it collects depends on its version
    const native = () => process.memoryUsage().rss - process.memoryUsage().heapTotal;
    const resident = native();
    for (let i = 0; i < 2000; i++) step(i);
    expect(state()).toEqual(before);
    expect(native() - resident).toBeLessThan(32 << 20);
    tf.dispose([weight, scale, ...moments]);
  });

  test('blocks of a feed-forward of 0.5B are used again: 40 steps in the memory of a few', async () => {
    await initBackend(backend);
    const [gate, up] = [tf.ones([480, 4864]), tf.ones([480, 4864])] as [tf.Tensor2D, tf.Tensor2D];
    const scale = tf.ones([4864]) as tf.Tensor1D;
    const step = () =>
      tf.tidy(() => {
        tf.grad((x) => tf.sum(swiGlu(rmsNorm(x as tf.Tensor2D, scale, 1e-6), up)))(gate).dataSync();
      });
    for (let i = 0; i < 5; i++) step();
    const resident = process.memoryUsage().rss;
    for (let i = 0; i < 40; i++) step();
    // a block is 9 MiB, and a step makes about ten
    expect(process.memoryUsage().rss - resident).toBeLessThan(256 << 20);
    tf.dispose([gate, up, scale]);
  }, 180_000);
});
