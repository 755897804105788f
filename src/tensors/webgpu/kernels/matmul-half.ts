import type * as tf from '../../tf.js';
import type { HalfForm, WebGpuBackend } from '../backend.js';
import { laneFold, type Program, programFor } from '../program.js';
import roundingCode from '../rounding.wgsl';
import halfRowsCode from './half-rows.wgsl';
import code from './matmul-half.wgsl';
import type { Product } from './product.js';

/** Four numbers of float16, as the adapter has them or as two words, and the same four in float32. */
const four: Readonly<Record<HalfForm, string>> = {
  f16: 'alias Four = vec4<f16>;\nfn wide(x: Four) -> vec4f { return vec4f(x); }\n',
  words:
    'alias Four = vec2u;\nfn wide(x: Four) -> vec4f { return vec4f(unpack2x16float(x.x), unpack2x16float(x.y)); }\n',
};

const halfRows: Program = {
  name: 'rows in float16',
  code: roundingCode + laneFold('mostOfLanes', 'u32', 'max(a, b)') + halfRowsCode,
  buffers: 'rww',
  over: 'rows',
  takesNarrow: true,
};

const tiled = (form: HalfForm) =>
  programFor((key: number): Program => {
    const constants = { SIDE: key & 4 ? 16 : 8, TRANSPOSE_B: key & 1, BIAS: (key >> 1) & 1 };
    const enables = form === 'f16' ? { enables: 'f16' } : {};
    const name = `matmul of ${form} ${key}`;
    return { name, code: `${four[form]}${code}`, buffers: 'rrrwr', constants, takesNarrow: true, ...enables };
  });
const programs = { f16: tiled('f16'), words: tiled('words') };

/**
 * A product of a matrix in float32 and one that is kept in float16: rows of the first are brought to float16 as well,
 * each with a scale of its own.
 * @param tile rows and columns of a workgroup, 32 or 64
 * @returns whether it was computed: widths have to be multiples of 4, and it is one product of plain rows
 */
export function multiplyHalves(
  backend: WebGpuBackend,
  form: HalfForm,
  { a, b, m, n, k, transposeA, transposeB, bias, batches = 1, startA = 0, startOut = 0 }: Product,
  out: tf.TensorInfo,
  tile: number,
): boolean {
  if (batches !== 1 || transposeA || k % 4 !== 0 || (!transposeB && n % 4 !== 0)) return false;
  const [left, scales] = [backend.makeNarrow([m, k], 'float16'), backend.makeOutput([m])];
  backend.run(halfRows, [a, left, scales], [m, k, startA], []);
  const key = Number(transposeB) | (bias ? 2 : 0) | (tile === 64 ? 4 : 0);
  const groups = Math.ceil(m / tile) * Math.ceil(n / tile);
  backend.run(programs[form](key), [left, b, scales, out, bias ?? scales], [m, n, k, startOut], [], groups);
  for (const { dataId } of [left, scales]) backend.disposeData(dataId);
  return true;
}
