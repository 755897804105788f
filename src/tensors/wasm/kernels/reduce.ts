import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { GRAIN } from './elementwise.js';
import { transposed } from './movement.js';
import { type KernelCall, register, runOnCpu } from './register.js';

/** Rows longer than this are summed in pieces of this length first, so that threads share one long row. */
const PIECE = 1 << 16;

/** A tensor seen as [outer, length, inner], the middle axis being the one that goes away. */
interface Middle {
  x: tf.TensorInfo;
  outer: number;
  length: number;
  inner: number;
  /** Whether x is a copy that must be freed. */
  owned: boolean;
}

/** Brings the reduced axes together, with a transposition where they are not neighbours already. */
function toMiddle(backend: WasmBackend, x: tf.TensorInfo, axes: readonly number[]): Middle {
  const reduced = new Set(axes);
  const isRelevant = (axis: number): boolean => x.shape[axis] !== 1;
  const relevant = x.shape.map((_, axis) => axis).filter((axis) => reduced.has(axis) && isRelevant(axis));
  const first = relevant[0] ?? 0;
  const last = relevant.at(-1) ?? -1;
  const product = (from: number, to: number): number => x.shape.slice(from, to).reduce((a, b) => a * b, 1);
  let neighbours = true;
  for (let axis = first; axis <= last; axis++) if (!reduced.has(axis) && isRelevant(axis)) neighbours = false;
  if (neighbours) {
    return {
      x,
      outer: product(0, first),
      length: product(first, last + 1),
      inner: product(last + 1, x.shape.length),
      owned: false,
    };
  }
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !reduced.has(axis));
  const moved = transposed(backend, x, [...kept, ...axes]);
  const length = axes.reduce((a, axis) => a * (x.shape[axis] as number), 1);
  return { x: moved, outer: tf.util.sizeFromShape(x.shape) / length, length, inner: 1, owned: true };
}

function reduceInto(
  backend: WasmBackend,
  operation: 'sum' | 'max' | 'min',
  source: number,
  out: number,
  { outer, length, inner }: Pick<Middle, 'outer' | 'length' | 'inner'>,
  scale: number,
): void {
  const { runtime } = backend;
  if (inner > 1) {
    const items = outer * Math.ceil(inner / 32);
    const args = [source, out, length, inner, scale];
    runtime.run(runtime.kernel(`${operation}Columns`), args, items, Math.ceil(GRAIN / (32 * length)));
    return;
  }
  if (length > PIECE && length % PIECE === 0 && outer < 8) {
    const pieces = length / PIECE;
    const partial = runtime.allocator.allocate(outer * pieces * 4);
    reduceInto(
      backend,
      operation,
      source,
      partial.pointer,
      { outer: outer * pieces, length: PIECE, inner: 1 },
      1,
    );
    reduceInto(backend, operation, partial.pointer, out, { outer, length: pieces, inner: 1 }, scale);
    runtime.allocator.release(partial);
    return;
  }
  const args = [source, out, length, scale];
  runtime.run(runtime.kernel(`${operation}Rows`), args, outer, Math.ceil((2 * GRAIN) / Math.max(1, length)));
}

function reduction(name: string, operation: 'sum' | 'max' | 'min', mean: boolean) {
  return (call: KernelCall): tf.TensorInfo | tf.TensorInfo[] => {
    const { backend, attrs } = call;
    const x = call.inputs.x as tf.TensorInfo;
    const size = tf.util.sizeFromShape(x.shape);
    if (x.dtype !== 'float32' || size === 0) return runOnCpu(name, call);
    // Max alone names its axes differently
    const axes = tf.util.parseAxisParam((attrs.axis ?? attrs.reductionIndices) as number | number[], x.shape);
    const keepDims = (attrs.keepDims as boolean | undefined) ?? false;
    const [outShape, reduceShape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(outShape, axes) : outShape;
    const out = backend.makeOutput(shape, 'float32');
    const middle = toMiddle(backend, x, axes);
    const scale = mean ? 1 / tf.util.sizeFromShape(reduceShape) : 1;
    reduceInto(backend, operation, backend.pointer(middle.x), backend.pointer(out), middle, scale);
    if (middle.owned) backend.disposeIntermediateTensorInfo(middle.x);
    return out;
  };
}

/** Sums, means, extremes, argmax and softmax. */
export function registerReductions(): void {
  register('Sum', reduction('Sum', 'sum', false));
  register('Mean', reduction('Mean', 'sum', true));
  register('Max', reduction('Max', 'max', false));
  register('Min', reduction('Min', 'min', false));
  for (const [name, sign] of [
    ['ArgMax', 1],
    ['ArgMin', -1],
  ] as const) {
    register(name, (call) => {
      const { backend } = call;
      const x = call.inputs.x as tf.TensorInfo;
      const axis = tf.util.parseAxisParam(call.attrs.axis as number, x.shape)[0] as number;
      const length = x.shape[axis] as number;
      if (x.dtype !== 'float32' || axis !== x.shape.length - 1 || length === 0) return runOnCpu(name, call);
      const shape = x.shape.slice(0, -1);
      const out = backend.makeOutput(shape, 'int32');
      const { runtime } = backend;
      const args = [backend.pointer(x), backend.pointer(out), length, sign];
      const rows = tf.util.sizeFromShape(shape);
      runtime.run(runtime.kernel('argRows'), args, rows, Math.ceil(GRAIN / length));
      return out;
    });
  }
  register('Softmax', (call) => {
    const { backend } = call;
    const x = call.inputs.logits as tf.TensorInfo;
    const length = x.shape.at(-1) ?? 0;
    const dim = (call.attrs.dim as number | undefined) ?? -1;
    const isLast = dim === -1 || dim === x.shape.length - 1;
    if (x.dtype !== 'float32' || !isLast || length === 0) return runOnCpu('Softmax', call);
    const out = backend.makeOutput(x.shape, 'float32');
    const { runtime } = backend;
    const rows = tf.util.sizeFromShape(x.shape) / length;
    const args = [backend.pointer(x), backend.pointer(out), length];
    runtime.run(runtime.kernel('softmaxRows'), args, rows, Math.ceil(GRAIN / (4 * length)));
    return out;
  });
}
