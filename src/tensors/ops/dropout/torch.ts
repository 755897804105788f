import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { DROPOUT_FACTORS, dropoutLimit } from './dropout.js';

/** column · factor of as many columns as any tensor had so far: the same for all seeds, so it stays on the device. */
let multiples = new Int32Array(0);

function multiplesOf(size: number): Int32Array {
  if (multiples.length < size) {
    multiples = Int32Array.from({ length: size }, (_, column) => Math.imul(column, DROPOUT_FACTORS[0]));
  }
  return multiples;
}

/**
 * Found on the device: the host would take longer for it than a GPU for a step.
 * The bits of `dropoutBits` in operations on 32-bit integers, which wrap as they do there.
 */
function dropout({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, names } = inputs as Record<'x' | 'names', tf.TensorInfo>;
  const { rate, seed } = attrs as { rate: number; seed: number };
  const { torch } = backend;
  const [n, width] = x.shape as [number, number];
  return backend.run(x.shape, 'float32', () => {
    const int = (value: number): Handle => torch.full([], value | 0, 'int32');
    const columns = torch.view(backend.resident(multiplesOf(width)), [1, width]);
    const rows = torch.call('bitwise_xor.Tensor', torch.view(backend.handle(names), [n, 1]), int(seed));
    const hash = torch.call('bitwise_xor.Tensor', rows, columns);
    /** hash ^= hash >>> by, one temporary at a time. */
    const mix = (by: number) =>
      torch.tidy(() => {
        const high = torch.call('bitwise_right_shift.Tensor', hash, int(by));
        // the shift copies the sign
        torch.call('bitwise_and_.Tensor', high, int(2 ** (32 - by) - 1));
        torch.call('bitwise_xor_.Tensor', hash, high);
        return undefined;
      });
    const multiply = (factor: number) => torch.call('mul_.Tensor', hash, int(factor));
    mix(16);
    multiply(DROPOUT_FACTORS[1]);
    mix(15);
    multiply(DROPOUT_FACTORS[2]);
    mix(16);
    // an unsigned comparison: both sides with the top bit flipped
    torch.call('bitwise_xor_.Tensor', hash, int(0x80000000));
    const kept = torch.call('ge.Tensor', hash, int(dropoutLimit(rate) ^ 0x80000000));
    const scaled = torch.call(
      'mul.Tensor',
      backend.handle(x),
      torch.full([], 1 / (1 - rate), backend.torchDtype(x)),
    );
    return torch.call('mul_.Tensor', scaled, kept);
  });
}

export const kernels: Kernels = { Dropout: dropout };
