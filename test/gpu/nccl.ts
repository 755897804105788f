/** @file Sums over one rank: the library is found and called as it wants to be, on torch's stream. */
import { tensorSums } from '../../src/tensors/collective/tensor-sums.js';
import * as tf from '../../src/tensors/tf.js';
import type { Short } from './part.js';

export async function nccl(short: Short): Promise<void> {
  const values = Float32Array.from({ length: 10_000 }, (_, i) => i / 7);
  const alone = { rank: 0, size: 1, name: 'one rank', sumsTensors: false };
  const sums = await tensorSums(alone as Parameters<typeof tensorSums>[0], async (id) => id);
  console.log(`  ${sums.name}`);
  const given = () => ({ a: tf.mul(tf.tensor1d(values), 2), b: tf.tensor2d([[1, 2]]) });
  const expected = { a: values.map((value) => value * 2), b: Float32Array.of(1, 2) };
  const agree = (name: 'a' | 'b', tensor: tf.Tensor, what: string): void => {
    const found = tensor.dataSync();
    if (!expected[name].every((value, i) => value === found[i])) short(`nccl: ${what} of ${name} differs`);
  };
  const summed = await sums.sum(given());
  agree('a', summed.a!, 'the sum');
  agree('b', summed.b!, 'the sum');
  const variable = tf.variable(tf.tensor1d(values.map((value) => value * 2)));
  await sums.spread([variable], 0);
  agree('a', variable, 'the broadcast');
  tf.dispose([summed, variable]);
  console.log('  a sum and a broadcast in place');
}
