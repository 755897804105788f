import { type FloatType, floatTypes } from '../../precision.js';
import type * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { laneFold, type Program, programFor } from '../program.js';
import roundingCode from '../rounding.wgsl';
import halfRowsCode from './half-rows.wgsl';
import code from './matmul-fours.wgsl';
import { constantsOf, FLAG_BITS, type Product } from './product.js';
import productCode from './product.wgsl';

/** Four numbers as they are kept, `f16` as the adapter has them, and WGSL's expression of the same in float32. */
const four: Readonly<Record<FloatType | 'f16', readonly [type: string, wide: string]>> = {
  float32: ['vec4f', 'x'],
  bfloat16: ['vec2u', 'bitcast<vec4f>(vec4u(x.x << 16u, x.x & 0xffff0000u, x.y << 16u, x.y & 0xffff0000u))'],
  float16: ['vec2u', 'vec4f(unpack2x16float(x.x), unpack2x16float(x.y))'],
  f16: ['vec4<f16>', 'vec4f(x)'],
};

/** The types of the factors of a product. */
const pairings = [
  ...floatTypes.map((right) => ({ left: 'float32', right }) as const),
  { left: 'float16', right: 'float16' },
  { left: 'f16', right: 'f16' },
] as const;

const readingOf = (side: 'Left' | 'Right', kept: FloatType | 'f16'): string => {
  const [type, wide] = four[kept];
  return `alias ${side} = ${type};\nfn wide${side}(x: ${side}) -> vec4f { return ${wide}; }\n`;
};

const tiled = programFor((key: number): Program => {
  const { left, right } = pairings[key >> FLAG_BITS]!;
  const constants = { ...constantsOf(key), SCALED: left === 'float32' ? 0 : 1 };
  return {
    name: `matmul of ${left} and ${right}`,
    code: readingOf('Left', left) + readingOf('Right', right) + productCode + code,
    buffers: 'rrrwr',
    constants,
    takesNarrow: true,
    ...(right === 'f16' ? { enables: 'f16' } : {}),
  };
});

const halfRows: Program = {
  name: 'rows in float16',
  code: roundingCode + laneFold('mostOfLanes', 'u32', 'max(a, b)') + halfRowsCode,
  buffers: 'rww',
  over: 'rows',
  takesNarrow: true,
};

/**
 * A product of which rows of both factors, as they are stored, are read four numbers at a time: their widths have to be
 * multiples of 4. Where the second is kept in float16 and the backend has a form of such products, plain rows of the
 * first are brought to float16 as well, each with a scale of its own.
 * @param flags of its form
 * @param groups of how many workgroups it is
 * @returns whether it was computed
 */
export function multiplyFours(
  backend: WebGpuBackend,
  product: Product,
  out: tf.TensorInfo,
  { flags, groups }: { flags: number; groups: number },
): boolean {
  const { a, b, m, n, k, transposeA = false, transposeB = false, bias } = product;
  const { batches = 1, batchA = 0, batchB = 0, startA = 0, startOut = 0 } = product;
  if ([transposeA ? m : k, transposeB ? k : n, startA, batchA, batchB].some((size) => size % 4 !== 0))
    return false;
  const run = (left: tf.TensorInfo, start: number, scales: tf.TensorInfo, pairing: number): void => {
    const ints = [m, n, k, start / 4, startOut, batches, batchA / 4, batchB / 4];
    backend.run(
      tiled((pairing << FLAG_BITS) | flags),
      [left, b, scales, out, bias ?? scales],
      ints,
      [],
      groups,
    );
  };
  const kept = backend.floatType(b);
  const { halfForm } = backend;
  if (halfForm === undefined || kept !== 'float16' || batches !== 1 || transposeA) {
    run(a, startA, a, floatTypes.indexOf(kept));
    return true;
  }
  const [left, scales] = [backend.makeNarrow([m, k], 'float16'), backend.makeOutput([m])];
  backend.run(halfRows, [a, left, scales], [m, k, startA], []);
  run(left, 0, scales, floatTypes.length + (halfForm === 'f16' ? 1 : 0));
  for (const { dataId } of [left, scales]) backend.disposeData(dataId);
  return true;
}
