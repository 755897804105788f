import { type FloatType, floatTypes } from '../../precision.js';
import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { programFor } from '../program.js';
import { inFloat32, type NarrowType, pairOf, readingOf } from '../widen.js';
import code from './matmul.wgsl';
import fewRowsCode from './matmul-few-rows.wgsl';
import { multiplyFours } from './matmul-fours.js';
import { constantsOf, FLAG_BITS, flagsOf, type Product } from './product.js';
import productCode from './product.wgsl';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

/** Outputs from which tiles are large: enough of them to fill a GPU. */
const LARGE = 512 * 512;

const tiled = programFor((key: number) => {
  const text = `${readingOf(floatTypes[key >> FLAG_BITS]!, 2)}${productCode}${code}`;
  return { name: 'matmul', code: text, buffers: 'rrwr', constants: constantsOf(key), takesNarrow: true };
});

/** One element of b at a time, or both of a word. */
const oneByOne = (type: FloatType): string => `${readingOf(type, 2)}
const PER = 1u;
fn rightAt(i: u32) -> f32 { return numberOf(i); }
fn productAt(i: u32, right: f32) -> f32 { return a[i] * right; }
`;
const inPairs = (type: NarrowType): string => `${pairOf(type)}
@group(0) @binding(2) var<storage, read> words: array<u32>;
const PER = 2u;
fn rightAt(i: u32) -> vec2f { return pairOf(words[i / 2u]); }
fn productAt(i: u32, right: vec2f) -> f32 { return a[i] * right.x + a[i + 1u] * right.y; }
`;

const fewRows = programFor((key: number) => {
  const type = floatTypes[key >> 2]!;
  const reading = type !== 'float32' && key & 2 ? inPairs(type) : oneByOne(type);
  const constants = { BIAS: key & 1 };
  const name = 'matmul of few rows';
  return { name, code: `${reading}${fewRowsCode}`, buffers: 'rrwr', constants, takesNarrow: true };
});

/** Rows of which each column of a transposed matrix is read once or twice. */
const FEW_ROWS = 8;

/** Computes a product into a tensor that is there. */
export function multiplyInto(backend: WebGpuBackend, product: Product, out: tf.TensorInfo): void {
  if (backend.floatType(product.a) !== 'float32') {
    inFloat32(backend, product.a, (a) => multiplyInto(backend, { ...product, a }, out));
    return;
  }
  const { a, b, m, n, k, transposeA = false, transposeB = false, bias } = product;
  const { batches = 1, batchA = 0, batchB = 0, startA = 0, startOut = 0 } = product;
  if (m * n * batches === 0) return;
  if (k === 0) {
    backend.clear(out);
    return;
  }
  const tensors = [a, b, out, bias ?? a];
  const kept = floatTypes.indexOf(backend.floatType(b));
  if (m <= FEW_ROWS && batches === 1 && transposeB && !transposeA) {
    const groups = Math.ceil(n / 4) * Math.ceil(m / 4);
    const key = (kept << 2) | (kept && k % 2 === 0 ? 2 : 0) | (bias ? 1 : 0);
    backend.run(fewRows(key), tensors, [m, n, k, startA, startOut], [], groups);
    return;
  }
  const isLarge = m * n >= LARGE;
  const tile = isLarge ? 64 : 32;
  const flags = flagsOf(product, isLarge);
  const groups = Math.ceil(m / tile) * Math.ceil(n / tile) * batches;
  if (multiplyFours(backend, product, out, { flags, groups })) return;
  backend.run(
    tiled((kept << FLAG_BITS) | flags),
    tensors,
    [m, n, k, startA, startOut, batches, batchA, batchB],
    [],
    groups,
  );
}

/** A product as a new tensor. */
export function multiply(backend: WebGpuBackend, product: Product): tf.TensorInfo {
  const out = backend.makeOutput([product.m, product.n]);
  multiplyInto(backend, product, out);
  return out;
}

function batchMatMul(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { a, b } = call.inputs as Record<'a' | 'b', tf.TensorInfo>;
  const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
  const [outerA, outerB] = [a, b].map(({ shape }) => shape.slice(0, -2)) as [number[], number[]];
  const [sizeA, sizeB] = [outerA, outerB].map((shape) => tf.util.sizeFromShape(shape)) as [number, number];
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(outerA, outerB);
  const batches = tf.util.sizeFromShape(outer);
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return runTfjs('BatchMatMul', call);
  if (![sizeA, sizeB].every((size) => size === batches || size === 1)) {
    return tf.tidy(() => {
      const [wideA, wideB] = [a, b].map((x) =>
        tf.broadcastTo(x as tf.Tensor, [...outer, ...x.shape.slice(-2)]),
      ) as [tf.Tensor, tf.Tensor];
      return tf.matMul(wideA, wideB, transposeA, transposeB);
    });
  }
  const [rows, columns] = a.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columns, rows] : [rows, columns];
  const n = b.shape.at(transposeB ? -2 : -1) as number;
  const inner = b.shape.at(transposeB ? -1 : -2) as number;
  if (inner !== k) {
    throw new Error(`matMul: inner dimensions ${k} and ${inner} of [${a.shape}] and [${b.shape}] differ`);
  }
  const out = call.backend.makeOutput([...outer, m, n]);
  const batchA = sizeA === 1 ? 0 : m * k;
  const batchB = sizeB === 1 ? 0 : n * k;
  multiplyInto(call.backend, { a, b, m, n, k, transposeA, transposeB, batches, batchA, batchB }, out);
  return out;
}

export const kernels: Kernels = { BatchMatMul: batchMatMul };
