import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';
import { type KernelCall, parseAxes, register } from './register.js';

function gather({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, indices } = inputs as Record<'x' | 'indices', tf.TensorInfo>;
  const { axis, batchDims } = attrs as { axis: number; batchDims: number };
  const [parsedAxis] = parseAxes(axis, x.shape) as [number];
  const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x as tf.Tensor,
    indices as tf.Tensor,
    parsedAxis,
    batchDims,
  );
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  const count = tf.util.sizeFromShape(indices.shape) / batchSize;
  const { torch } = backend;
  return backend.run(outputShape, x.dtype, () => {
    const at = backend.view(indices, [batchSize * count]);
    if (batchSize === 1) {
      const rows = torch.call('index_select', backend.view(x, [outerSize, dimSize, sliceSize]), 1, at);
      return torch.view(rows, outputShape);
    }
    const parts = Array.from({ length: batchSize }, (_, batch) =>
      torch.call(
        'index_select',
        backend.view(
          x,
          [1, outerSize, dimSize, sliceSize],
          undefined,
          batch * outerSize * dimSize * sliceSize,
        ),
        2,
        backend.view(indices, [count], [1], batch * count),
      ),
    );
    return torch.view(torch.call('cat', parts, 0), outputShape);
  });
}

/** out[index[i]] += rows[i], for rows [count, width] of a new tensor of zeros [size, width]: summed up in float32. */
function scatterRows(
  backend: TorchBackend,
  index: Handle,
  rows: Handle,
  size: number,
  width: number,
): Handle {
  const { torch } = backend;
  const dtype = torch.dtypeOf(rows);
  const narrow = dtype === 'bfloat16' || dtype === 'float16';
  const out = torch.full([size, width], 0, narrow ? 'float32' : dtype);
  const values = narrow ? torch.cast(rows, 'float32') : rows;
  torch.call('index_put_', out, [torch.cast(index, 'int64')], values, true);
  return narrow ? torch.cast(out, dtype) : out;
}

function scatterNd({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { indices, updates } = inputs as Record<'indices' | 'updates', tf.TensorInfo>;
  const shape = attrs.shape as number[];
  const { sliceRank, numUpdates, sliceSize, strides, outputSize } = tf.backend_util.calculateShapes(
    updates as tf.Tensor,
    indices as tf.Tensor,
    shape,
  );
  return backend.run(shape, updates.dtype, () => {
    const { torch } = backend;
    let flat = backend.view(indices, [numUpdates], [sliceRank], 0);
    if (sliceRank > 1) {
      const steps = torch.tidy(() => {
        const parts = Array.from({ length: sliceRank }, (_, axis) => {
          const column = backend.view(indices, [numUpdates], [sliceRank], axis);
          return torch.call('mul.Tensor', column, torch.full([], strides[axis] as number, 'int32'));
        });
        return parts.reduce((sum, part) => torch.addIntegers(sum, part));
      });
      flat = steps;
    }
    const rows = backend.view(updates, [numUpdates, sliceSize]);
    return torch.view(scatterRows(backend, flat, rows, outputSize / sliceSize, sliceSize), shape);
  });
}

/** Kernels that find elements by index. */
export function registerIndexing(): void {
  register('GatherV2', gather);
  register('ScatterNd', scatterNd);
  register('UnsortedSegmentSum', ({ inputs, attrs, backend }) => {
    const { x, segmentIds } = inputs as Record<'x' | 'segmentIds', tf.TensorInfo>;
    const numSegments = attrs.numSegments as number;
    const [count, ...rest] = x.shape as [number, ...number[]];
    const width = tf.util.sizeFromShape(rest);
    return backend.run([numSegments, ...rest], x.dtype, () => {
      const rows = backend.view(x, [count, width]);
      return backend.torch.view(scatterRows(backend, backend.handle(segmentIds), rows, numSegments, width), [
        numSegments,
        ...rest,
      ]);
    });
  });
  register('OneHot', ({ inputs, attrs, backend }) => {
    const indices = inputs.indices as tf.TensorInfo;
    const { depth, onValue, offValue, dtype } = attrs as Record<'depth' | 'onValue' | 'offValue', number> & {
      dtype: tf.DataType;
    };
    const shape = [...indices.shape, depth];
    const target = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
    const { torch } = backend;
    const classes = backend.makeTensorInfo(
      [depth],
      'int32',
      Int32Array.from({ length: depth }, (_, i) => i),
    );
    const out = backend.run(shape, dtype, () => {
      const equal = torch.call(
        'eq.Tensor',
        backend.view(indices, [...indices.shape, 1]),
        backend.handle(classes),
      );
      return torch.call(
        'where.self',
        equal,
        torch.full([], onValue, target),
        torch.full([], offValue, target),
      );
    });
    backend.disposeIntermediateTensorInfo(classes);
    return out;
  });
}
