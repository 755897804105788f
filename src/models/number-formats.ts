import type { FloatType } from '../tensors/precision.js';
import { SafetensorsError } from './errors.js';

const sizes: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Bytes of one element of a safetensors dtype. @throws {SafetensorsError} for a dtype that is not known. */
export function elementBytes(dtype: string, where = 'safetensors'): number {
  const size = sizes[dtype];
  if (size === undefined) {
    const known = Object.keys(sizes).join(', ');
    throw new SafetensorsError(`${where}: unknown dtype ${dtype}. Known: ${known}`);
  }
  return size;
}

/** Whether a safetensors dtype is one of floating-point numbers. */
export function isFloatingPoint(dtype: string): boolean {
  return /^B?F\d/.test(dtype);
}

/** Little-endian bytes to float32 (floating-point dtypes) or int32 (integers). `bytes` starts its own buffer. */
export function decodeValues(bytes: Uint8Array, dtype: string): Float32Array | Int32Array {
  const { buffer } = bytes;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'BF16':
      return fromBfloat16(new Uint16Array(buffer));
    case 'F16':
      return fromFloat16(new Uint16Array(buffer));
    case 'I64':
      return Int32Array.from(new BigInt64Array(buffer), Number);
    case 'I32':
      return new Int32Array(buffer);
    case 'I16':
      return Int32Array.from(new Int16Array(buffer));
    case 'I8':
      return Int32Array.from(new Int8Array(buffer));
    default:
      return Int32Array.from(bytes);
  }
}

/** Values to the bytes of a dtype, rounding to nearest even. */
export function encodeValues(values: Float32Array | Int32Array, dtype: string): Uint8Array {
  switch (dtype) {
    case 'F32':
      return bytesOf(values instanceof Float32Array ? values : Float32Array.from(values));
    case 'I32':
      return bytesOf(values instanceof Int32Array ? values : Int32Array.from(values));
    case 'BF16':
      return bytesOf(toBfloat16(Float32Array.from(values)));
    case 'F16':
      return bytesOf(toFloat16(Float32Array.from(values)));
    default:
      throw new SafetensorsError(`cannot write dtype ${dtype}. Known: F32, F16, BF16, I32`);
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** bfloat16 is the upper half of a float32. */
export function fromBfloat16(source: Uint16Array): Float32Array {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Rounds to nearest, ties to even; NaN stays NaN. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < result.length; i++) {
    const word = bits[i]!;
    const notANumber = (word & 0x7fffffff) > 0x7f800000;
    result[i] = notANumber ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return result;
}

/** IEEE half precision, through a table of all 65,536 values. */
export function fromFloat16(source: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
    return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  });
  const table = halves;
  return Float32Array.from(source, (bits) => table[bits]!);
}
let halves: Float32Array | undefined;

/** Rounds to nearest, ties to even; too large values become infinite, as casts do everywhere else. */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    const magnitude = Math.abs(value);
    if (Number.isNaN(magnitude)) return 0x7e00;
    if (magnitude >= 65520) return sign | 0x7c00;
    // the spacing of half-precision numbers around this one
    const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
    const steps = roundHalfToEven(magnitude / 2 ** (exponent - 10));
    // a mantissa that rounds up to 2048 carries into the exponent by itself
    return sign | (magnitude < 2 ** -14 ? steps : ((exponent + 15) << 10) + (steps - 1024));
  });
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** The number of a type that is nearest to a value. */
export function roundTo(value: number, type: FloatType): number {
  const wide = Float32Array.of(value);
  if (type === 'float32') return wide[0]!;
  return (type === 'bfloat16' ? fromBfloat16(toBfloat16(wide)) : fromFloat16(toFloat16(wide)))[0]!;
}
