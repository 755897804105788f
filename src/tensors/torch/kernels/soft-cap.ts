import type { Handle } from '../library.js';
import type { Torch } from '../torch.js';

/** cap · tanh(x / cap) of float32 numbers and its slope 1 − tanh²; x itself, and no slope, where there is no cap. */
export function capped(torch: Torch, x: Handle, cap: number | undefined): { values: Handle; slope?: Handle } {
  if (cap === undefined) return { values: x };
  const times = (tensor: Handle, factor: number) =>
    torch.call('mul.Tensor', tensor, torch.full([], factor, 'float32'));
  const t = torch.call('tanh', times(x, 1 / cap));
  const one = torch.full([], 1, 'float32');
  return { values: times(t, cap), slope: torch.add(one, torch.call('mul.Tensor', t, t), -1) };
}
