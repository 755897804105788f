import type * as tf from '../../tf.js';
import type { TorchDtype } from '../../torch/dtypes.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

type Matrix = Record<'words' | 'scales', tf.TensorInfo>;

/** The matrix in a type, for as long as it is multiplied. */
function wholeMatrix(backend: KernelCall['backend'], { words, scales }: Matrix, dtype: TorchDtype): Handle {
  const { torch } = backend;
  const integers = torch.call('view.dtype', backend.handle(words), torch.dtypes.int8);
  const factors = backend.view(scales, [scales.shape[0] as number, 1]);
  // rounded once: a factor in half precision would be off for its whole row
  const whole = torch.call('mul_.Tensor', torch.cast(integers, 'float32'), factors);
  return dtype === 'float32' ? whole : torch.cast(whole, dtype);
}

/** Up to how many rows of x the processor multiplies integers as they are faster than it makes the matrix whole. */
const INTEGER_ROWS: Partial<Record<TorchDtype, number>> = { float32: 2, float16: 2, bfloat16: 8 };

/**
 * Up to how many rows of x their product is scaled in the place of the matrix. Integers are exact in bfloat16, which
 * takes a third of the time of scaling them before they are rounded; in float16 a product without its factor may
 * overflow, and in float32 it is no faster.
 */
const SCALED_ROWS: Partial<Record<TorchDtype, number>> = { bfloat16: 256 };

/** Widths of which its kernels for integers take whole pieces: in bfloat16 they read beyond the end of others, and crash. */
const INTEGER_WIDTH = 32;

function quantizedLinear({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { x, bias } = inputs as Record<'x' | 'bias', tf.TensorInfo>;
  const matrix = inputs as Matrix;
  const { torch } = backend;
  const [rows, width] = x.shape as [number, number];
  return backend.run([rows, matrix.words.shape[0] as number], 'float32', () => {
    const dtype = backend.torchDtype(x);
    const added = bias ? torch.cast(backend.handle(bias), dtype) : null;
    const keepsIntegers =
      torch.device.type === 'cpu' &&
      rows > 0 &&
      rows <= (INTEGER_ROWS[dtype] ?? 0) &&
      width % INTEGER_WIDTH === 0 &&
      torch.knows('_weight_int8pack_mm');
    if (!keepsIntegers && rows <= (SCALED_ROWS[dtype] ?? 0)) {
      const integers = torch.call('view.dtype', backend.handle(matrix.words), torch.dtypes.int8);
      const product = torch.call('linear', backend.handle(x), torch.cast(integers, dtype), null);
      const factors = backend.view(matrix.scales, [1, matrix.scales.shape[0] as number]);
      const scaled = torch.call('mul.Tensor', torch.cast(product, 'float32'), factors);
      return torch.cast(added === null ? scaled : torch.add(scaled, added), dtype);
    }
    if (!keepsIntegers)
      return torch.call('linear', backend.handle(x), wholeMatrix(backend, matrix, dtype), added);
    const integers = torch.call('view.dtype', backend.handle(matrix.words), torch.dtypes.int8);
    const scales = torch.cast(backend.handle(matrix.scales), dtype);
    const product = torch.call('_weight_int8pack_mm', backend.handle(x), integers, scales);
    return added === null ? product : torch.add(product, added);
  });
}

function quantizedLinearGrad({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { dy } = inputs as Record<'dy', tf.TensorInfo>;
  const matrix = inputs as Matrix;
  const width = 4 * (matrix.words.shape[1] as number);
  return backend.run([dy.shape[0] as number, width], 'float32', () =>
    backend.torch.call('mm', backend.handle(dy), wholeMatrix(backend, matrix, backend.torchDtype(dy))),
  );
}

function dequantize({ inputs, backend }: KernelCall): tf.TensorInfo {
  const matrix = inputs as Matrix;
  const [out, columns] = matrix.words.shape as [number, number];
  return backend.run([out, 4 * columns], 'float32', () => wholeMatrix(backend, matrix, 'float32'));
}

export const kernels: Kernels = {
  QuantizedLinear: quantizedLinear,
  QuantizedLinearGrad: quantizedLinearGrad,
  Dequantize: dequantize,
};
