import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { runFlat } from './elementwise.js';
import { type KernelCall, register, runOnCpu } from './register.js';

/** Up to this many rows, B is not packed: reading it costs more than the arithmetic. */
const FEW_ROWS = 8;
/** Packed panels of B are kept below this many bytes. */
const PACKED_BYTES = 16 << 20;
const ROWS_PER_ITEM = 64;

/** One matrix operand: element (row, column) of batch b at offsets[b] + row·rowStride + column·columnStride. */
interface Operand {
  pointer: number;
  rowStride: number;
  columnStride: number;
  offsets: readonly number[];
}

/** C[batch, m, n] = A · B (+ bias), or C += A · B, into `out` (contiguous, byte address). All offsets and strides in elements. */
export function multiply(
  backend: WasmBackend,
  a: Operand,
  b: Operand,
  out: number,
  bias: number,
  m: number,
  n: number,
  k: number,
  accumulate = false,
): void {
  const { runtime } = backend;
  const batches = a.offsets.length;
  if (m === 0 || n === 0 || batches === 0) return;
  if (batches === 1 && m <= FEW_ROWS && k > 0 && !accumulate) {
    const [aOffset, bOffset] = [(a.offsets[0] as number) * 4, (b.offsets[0] as number) * 4];
    if (b.rowStride === 1 && a.columnStride === 1) {
      const args = [
        a.pointer + aOffset,
        a.rowStride,
        b.pointer + bOffset,
        b.columnStride,
        out,
        n,
        bias,
        m,
        n,
        k,
      ];
      runtime.run(
        runtime.kernel('gemmFewRows'),
        args,
        Math.ceil(n / 4),
        grainFor(m * k * 4, Math.ceil(n / 4)),
      );
      return;
    }
    if (b.columnStride === 1) {
      const strides = [a.rowStride, a.columnStride, b.pointer + bOffset, b.rowStride];
      const args = [a.pointer + aOffset, ...strides, out, n, bias, m, n, k];
      const items = Math.ceil(n / 32);
      runtime.run(runtime.kernel('gemmFewRowsPlain'), args, items, grainFor(m * k * 32, items));
      return;
    }
  }
  const panels = Math.ceil(n / 8);
  const panelBytes = k * 32;
  const batchesAtOnce = Math.max(
    1,
    Math.min(batches, 1024, Math.floor(PACKED_BYTES / (panels * panelBytes || 1))),
  );
  const panelsAtOnce =
    batchesAtOnce > 1 ? panels : Math.max(16, Math.min(panels, Math.floor(PACKED_BYTES / (panelBytes || 1))));
  const packed = runtime.allocator.allocate(batchesAtOnce * Math.min(panels, panelsAtOnce) * panelBytes);
  for (let batch = 0; batch < batches; batch += batchesAtOnce) {
    const count = Math.min(batchesAtOnce, batches - batch);
    const aOffsets = a.offsets.slice(batch, batch + count);
    for (let panel = 0; panel < panels; panel += panelsAtOnce) {
      const n0 = panel * 8;
      const columns = Math.min(n - n0, panelsAtOnce * 8);
      const bOffsets = b.offsets.slice(batch, batch + count).map((offset) => offset + n0 * b.columnStride);
      const packItems = count * Math.ceil(columns / 8);
      const packArgs = [
        b.pointer,
        b.rowStride,
        b.columnStride,
        runtime.table(bOffsets),
        k,
        columns,
        packed.pointer,
      ];
      runtime.run(runtime.kernel('packB'), packArgs, packItems, Math.max(1, Math.ceil(16384 / (k * 8 || 1))));
      const rowsPerItem = Math.min(ROWS_PER_ITEM, Math.ceil(m / 4) * 4);
      const rowItems = Math.ceil(m / rowsPerItem) * count;
      // enough items for all threads, even where there are few rows
      const splits = Math.min(Math.ceil(columns / 32), Math.max(1, Math.ceil(16 / rowItems)));
      const columnsPerItem = Math.ceil(columns / splits / 8) * 8;
      const items = rowItems * Math.ceil(columns / columnsPerItem);
      const args = [
        ...[a.pointer, a.rowStride, a.columnStride, runtime.table(aOffsets)],
        ...[packed.pointer, out + (batch * m * n + n0) * 4, n, m * n, bias === 0 ? 0 : bias + n0 * 4],
        ...[m, columns, k, rowsPerItem, columnsPerItem, accumulate ? 1 : 0],
      ];
      const work = Math.min(rowsPerItem, m) * columnsPerItem * k;
      runtime.run(runtime.kernel('gemm'), args, items, grainFor(work, items));
    }
  }
  runtime.allocator.release(packed);
}

/** Items of `work` multiplications each per chunk: chunks of about 20 µs or more, and all of a small job in one. */
function grainFor(work: number, items: number): number {
  const grain = Math.max(1, Math.ceil(200_000 / Math.max(1, work)));
  return Math.min(grain, Math.max(1, items));
}

/** The element offset of each batch of an operand, with broadcasting. */
function batchOffsets(shape: readonly number[], outBatch: readonly number[]): number[] {
  const own = shape.slice(0, -2);
  const matrix = (shape.at(-2) as number) * (shape.at(-1) as number);
  let offsets = [0];
  for (const [axis, dimension] of outBatch.entries()) {
    const ownAxis = axis - (outBatch.length - own.length);
    const ownDimension = ownAxis < 0 ? 1 : (own[ownAxis] as number);
    const stride = ownDimension === 1 ? 0 : matrix * own.slice(ownAxis + 1).reduce((x, y) => x * y, 1);
    offsets = offsets.flatMap((offset) => Array.from({ length: dimension }, (_, i) => offset + i * stride));
  }
  return offsets;
}

function operand(
  backend: WasmBackend,
  tensor: tf.TensorInfo,
  transpose: boolean,
  outBatch: number[],
): Operand {
  const columns = tensor.shape.at(-1) as number;
  return {
    pointer: backend.pointer(tensor),
    rowStride: transpose ? 1 : columns,
    columnStride: transpose ? columns : 1,
    offsets: batchOffsets(tensor.shape, outBatch),
  };
}

function batchMatMul(call: KernelCall, bias = 0): tf.TensorInfo {
  const { inputs, attrs, backend } = call;
  const a = inputs.a as tf.TensorInfo;
  const b = inputs.b as tf.TensorInfo;
  const { transposeA = false, transposeB = false } = attrs as { transposeA?: boolean; transposeB?: boolean };
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return runOnCpu('BatchMatMul', call) as tf.TensorInfo;
  const [m, k] = (transposeA ? [a.shape.at(-1), a.shape.at(-2)] : a.shape.slice(-2)) as [number, number];
  const [kB, n] = (transposeB ? [b.shape.at(-1), b.shape.at(-2)] : b.shape.slice(-2)) as [number, number];
  if (k !== kB) {
    throw new Error(
      `matMul: inner sizes ${k} and ${kB} differ, for shapes [${a.shape}] and [${b.shape}] ` +
        `with transposeA=${transposeA} and transposeB=${transposeB}`,
    );
  }
  const outBatch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const out = backend.makeOutput([...outBatch, m, n], 'float32');
  const left = operand(backend, a, transposeA, outBatch);
  const right = operand(backend, b, transposeB, outBatch);
  multiply(backend, left, right, backend.pointer(out), bias, m, n, k);
  return out;
}

/** tfjs's fused product: a bias of one row goes into the product itself, activations follow it. */
function fusedMatMul(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { a, b, bias } = inputs as Record<'a' | 'b' | 'bias', tf.TensorInfo>;
  const activation = ACTIVATIONS[(attrs.activation as string | undefined) ?? 'linear'];
  const columns = attrs.transposeB ? b.shape.at(-2) : b.shape.at(-1);
  const isRow = !bias || (bias.dtype === 'float32' && tf.util.sizeFromShape(bias.shape) === columns);
  const isFloat = a.dtype === 'float32' && b.dtype === 'float32';
  if (!isFloat || !isRow || activation === undefined) return runOnCpu('_FusedMatMul', call);
  const product = batchMatMul(call, bias ? backend.pointer(bias) : 0);
  if (activation === '') return product;
  const size = tf.util.sizeFromShape(product.shape);
  runFlat(backend, activation, [backend.pointer(product), backend.pointer(product)], size);
  return product;
}

/** tfjs activation → our export. */
const ACTIVATIONS: Record<string, string> = { linear: '', relu: 'relu', sigmoid: 'sigmoid' };

/** Matrix products: BatchMatMul and its fused form. */
export function registerMatMul(): void {
  register('BatchMatMul', (call) => batchMatMul(call));
  register('_FusedMatMul', fusedMatMul);
}
