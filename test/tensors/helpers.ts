import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';

/** A tensor as plain data, so that the same one can be made on every backend. */
export interface PlainTensor {
  shape: number[];
  dtype: tf.DataType;
  values: number[];
}

/** Random normal values. */
export function normal(rng: Rng, shape: number[], scale = 1): PlainTensor {
  const size = tf.util.sizeFromShape(shape);
  return { shape, dtype: 'float32', values: Array.from({ length: size }, () => rng.normal(0, scale)) };
}

/** Random values in [low, high). */
export function uniform(rng: Rng, shape: number[], low: number, high: number): PlainTensor {
  const size = tf.util.sizeFromShape(shape);
  const values = Array.from({ length: size }, () => low + (high - low) * rng.uniform());
  return { shape, dtype: 'float32', values };
}

/** Random integers, both ends included. */
export function integers(
  rng: Rng,
  shape: number[],
  low: number,
  high: number,
  dtype: tf.DataType = 'int32',
): PlainTensor {
  const size = tf.util.sizeFromShape(shape);
  return { shape, dtype, values: Array.from({ length: size }, () => rng.int(low, high)) };
}

/** Makes the tensors on the active backend. */
export function place(plain: PlainTensor): tf.Tensor {
  return tf.tensor(plain.values, plain.shape, plain.dtype);
}

/** The results of one computation on one backend; fails where tensors are left over. */
export async function runOn(
  backend: string,
  inputs: readonly PlainTensor[],
  f: (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
): Promise<PlainTensor[]> {
  await initBackend(backend);
  const before = tf.memory().numTensors;
  tf.engine().startScope();
  const out = f(...inputs.map(place));
  const results: PlainTensor[] = [];
  for (const tensor of Array.isArray(out) ? out : [out]) {
    results.push({ shape: tensor.shape, dtype: tensor.dtype, values: Array.from(await tensor.data()) });
  }
  tf.engine().endScope();
  expect(tf.memory().numTensors).toBe(before);
  return results;
}

const references = new Map<string, Promise<PlainTensor[]>>();
let [testName, calls] = ['', 0];

/**
 * The results that all backends are compared with, on tfjs's backend `cpu`: computed for the first of a
 * `describe.each(backends)` only, where a test has the same inputs on each.
 * @param what differs between computations of the same inputs
 */
export function referenceOf(
  what: string,
  inputs: readonly PlainTensor[],
  f: (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
): Promise<PlainTensor[]> {
  const { currentTestName = '' } = expect.getState();
  if (currentTestName !== testName) [testName, calls] = [currentTestName, 0];
  // the first part of the name is the backend
  const [, ...own] = currentTestName.split(' > ');
  const key = `${own.join(' > ')} ${calls++} ${what} ${inputs.map(digestOf)}`;
  const known = references.get(key) ?? runOn('cpu', inputs, f);
  references.set(key, known);
  return known;
}

/** What is the same only for tensors with the same values: a test may have others on one of the backends. */
function digestOf({ shape, dtype, values }: PlainTensor): string {
  const hash = createHash('sha1').update(Float64Array.from(values)).digest('base64');
  return `${dtype} [${shape}] ${hash}`;
}

/** Fails unless every value is within `relative` of the expected one's size or of the largest one's. */
export function expectClose(actual: PlainTensor, expected: PlainTensor, relative = 1e-5, what = ''): void {
  expect(actual.shape, what).toEqual(expected.shape);
  expect(actual.dtype, what).toBe(expected.dtype);
  const finite = expected.values.filter(Number.isFinite).map(Math.abs);
  const scale = finite.reduce((a, b) => Math.max(a, b), 0);
  for (const [i, value] of expected.values.entries()) {
    const got = actual.values[i] as number;
    if (Object.is(got, value) || got === value) continue;
    const allowed = relative * Math.max(Math.abs(value), scale * 0.1) + 1e-6;
    if (!(Math.abs(got - value) <= allowed)) {
      expect.fail(`${what}: element ${i} is ${got}, expected ${value} ± ${allowed}`);
    }
  }
}
