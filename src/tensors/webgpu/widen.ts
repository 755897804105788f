/**
 * Reading matrices and caches that are kept in two bytes a number, two of them in a word, which core WGSL takes apart without
 * `shader-f16`.
 */
import type { FloatType } from '../precision.js';
import * as tf from '../tf.js';
import { type Program, programFor } from './program.js';
import widenCode from './widen.wgsl';

interface Disposer {
  disposeData(id: tf.DataId): unknown;
}

/** What is asked of a backend here. */
interface Runner {
  makeOutput(shape: number[]): tf.TensorInfo;
  floatType(tensor: tf.TensorInfo): FloatType;
  run(
    program: Program,
    tensors: readonly tf.TensorInfo[],
    ints: readonly number[],
    floats: readonly number[],
  ): void;
}

/** WGSL's expressions of number i of `words`. */
const expressions: Readonly<Record<FloatType, string>> = {
  float32: 'words[i]',
  float16: 'unpack2x16float(words[i / 2u])[i % 2u]',
  bfloat16: 'bitcast<f32>(select(words[i / 2u] << 16u, words[i / 2u] & 0xffff0000u, i % 2u == 1u))',
};

/** A type of two bytes. */
export type NarrowType = Exclude<FloatType, 'float32'>;

/** WGSL's expressions of the two numbers of a word. */
const pairs: Readonly<Record<NarrowType, string>> = {
  float16: 'unpack2x16float(word)',
  bfloat16: 'vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u))',
};

/** The text of a binding of numbers that are kept in a type, and of their function `numberOf`. */
export const readingOf = (type: FloatType, binding: number): string =>
  `@group(0) @binding(${binding}) var<storage, read> words: array<${type === 'float32' ? 'f32' : 'u32'}>;\n` +
  `fn numberOf(i: u32) -> f32 { return ${expressions[type]}; }\n`;

/** The text of the function `pairOf`: the two numbers of a word. */
export const pairOf = (type: NarrowType): string =>
  `fn pairOf(word: u32) -> vec2f { return ${pairs[type]}; }\n`;

const widening = (lookedUp: boolean) =>
  programFor((type: FloatType): Program => {
    const code = `${readingOf(type, 1)}${widenCode}`;
    const constants = { LOOKED_UP: lookedUp ? 1 : 0 };
    const name = lookedUp ? `rows of ${type}` : `ToFloatType of ${type}`;
    return { name, code, buffers: 'rrw', over: 'elements', constants, takesNarrow: true };
  });
const [whole, looked] = [widening(false), widening(true)];

/** The same numbers in float32, a new tensor. */
export function widened(backend: Runner, x: tf.TensorInfo): tf.TensorInfo {
  const out = backend.makeOutput(x.shape);
  const size = tf.util.sizeFromShape(x.shape);
  backend.run(whole(backend.floatType(x)), [x, x, out], [size, 1], []);
  return out;
}

/** Runs `f` with a tensor in float32, which is given back where it had to be made. */
export function inFloat32<T>(backend: Runner & Disposer, x: tf.TensorInfo, f: (x: tf.TensorInfo) => T): T {
  if (backend.floatType(x) === 'float32') return f(x);
  const wide = widened(backend, x);
  const result = f(wide);
  backend.disposeData(wide.dataId);
  return result;
}

/** What lies at these numbers of the first dimension, in float32. */
export function widenedRows(
  backend: Runner,
  x: tf.TensorInfo,
  numbers: tf.TensorInfo,
  shape: number[],
): tf.TensorInfo {
  const out = backend.makeOutput(shape);
  const width = tf.util.sizeFromShape(x.shape.slice(1));
  const tensors = [x, numbers, out];
  backend.run(looked(backend.floatType(x)), tensors, [tf.util.sizeFromShape(shape), width], []);
  return out;
}
