import { inspect } from 'node:util';
import type { MimeBundle } from '../contract.js';
import { call, hasMethods, property } from './property.js';

/** Arrays of at least so many numbers are summed up in a line. */
const SUMMED_UP = 8;
/** Numbers of a tensor on a device that are fetched for statistics at most. */
const FETCHED = 10_000_000;

type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** Typed arrays and tensors (tfjs and its like) with their shape and statistics. */
export function formatNumbers(value: unknown): MimeBundle | undefined {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const numbers = value as unknown as Numbers;
    if (numbers.length < SUMMED_UP || Buffer.isBuffer(value)) return undefined;
    const [head, ...rest] = inspect(value).split('\n');
    const text = `${value.constructor.name}(${numbers.length})  ${statistics(numbers)}`;
    return { 'text/plain': [text, head!.replace(/^\w+\(\d+\) /, ''), ...rest].join('\n') };
  }
  return tensor(value);
}

function tensor(value: unknown): MimeBundle | undefined {
  const [shape, dtype] = [property(value, 'shape'), property(value, 'dtype')];
  if (!Array.isArray(shape) || typeof dtype !== 'string' || !hasMethods(value, 'dataSync', 'toString'))
    return undefined;
  const name = `Tensor ${dtype} [${shape.join(', ')}]`;
  if (property(value, 'isDisposed') === true) return { 'text/plain': `${name}, disposed` };
  const size = shape.reduce((product: number, length) => product * Number(length), 1);
  if (dtype === 'string' || size > FETCHED) return { 'text/plain': name };
  const numbers = call(value, 'dataSync') as Numbers;
  const content = String(call(value, 'toString'))
    .replace(/^Tensor\n/, '')
    .replace(/^ {4}/gm, '');
  return { 'text/plain': `${name}  ${statistics(numbers)}\n${content}` };
}

/** `min -1, max 2.5, mean 0.75, std 1.1`; what is not a number is counted and left out. */
export function statistics(numbers: Numbers): string {
  let [count, missing, mean, squares] = [0, 0, 0, 0];
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < numbers.length; i++) {
    const x = Number(numbers[i]);
    if (Number.isNaN(x)) {
      missing++;
      continue;
    }
    count++;
    least = Math.min(least, x);
    greatest = Math.max(greatest, x);
    // Welford's algorithm, which loses no digits to a large mean
    const change = x - mean;
    mean += change / count;
    squares += change * (x - mean);
  }
  const parts = Object.entries({ min: least, max: greatest, mean, std: Math.sqrt(squares / count) });
  const known = count === 0 ? [] : parts.map(([name, x]) => `${name} ${shortNumber(x)}`);
  return [...known, ...(missing > 0 ? [`${missing} NaN`] : [])].join(', ');
}

function shortNumber(x: number): string {
  return Number.isInteger(x) && Math.abs(x) < 1e15 ? String(x) : String(Number(x.toPrecision(5)));
}
