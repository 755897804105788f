import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

function lowRankSum({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, a } = inputs as Record<'x' | 'a', tf.TensorInfo>;
  const { torch } = backend;
  const type = backend.torchDtype(x);
  const isHalf = type !== 'float32';
  // a processor multiplies few rows of float32 faster; a GPU reads half the bytes
  const isWide = isHalf && !torch.usesCudaKernels;
  const own = (factor: tf.TensorInfo): Handle =>
    isHalf && !isWide
      ? backend.kept(factor, type, () => torch.cast(backend.handle(factor), type))
      : backend.handle(factor);
  const [rows, width] = [x.shape[0] as number, a.shape[1] as number];
  torch.tidy(() => {
    const rowsOfX = isWide ? torch.cast(backend.handle(x), 'float32') : backend.handle(x);
    const low = torch.call('mm', rowsOfX, own(a));
    let column = 0;
    for (let i = 0; i < (attrs.terms as number); i++) {
      const [sum, b, factor] = [inputs[`sum${i}`]!, inputs[`b${i}`]!, inputs[`factor${i}`]];
      const rank = b.shape[0] as number;
      const columns = rank === width ? low : torch.view(low, [rows, rank], [width, 1], column);
      column += rank;
      const given = backend.handle(sum);
      const total = isWide ? torch.cast(given, 'float32') : given;
      // rounded once: torch multiplies in the wider of two types
      if (factor) torch.call('mul_.Tensor', total, backend.handle(factor));
      torch.addProduct(total, columns, own(b));
      if (isWide) torch.copy(given, total);
    }
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

export const kernels: Kernels = { LowRankSum: lowRankSum };
