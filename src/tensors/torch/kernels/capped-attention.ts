/** Attention whose scores are capped, in matrix products: PyTorch has no kernel in one piece for it. */
import type { Handle } from '../library.js';
import type { Torch } from '../torch.js';

/** Matrices of queries [.., r, D] and of the keys and values [.., m, D] that they meet. */
export interface CappedInputs {
  q: Handle;
  k: Handle;
  v: Handle;
  scale: number;
  softCap: number;
  /** 0 and −∞ in float32, added to the scores where these are seen as `shape`. */
  mask: { values: Handle; shape: readonly number[] } | null;
}

/** Scores held at a time, in floats: on the processor as many as stay in its cache, on a GPU as many as keep it busy. */
const HELD = { cpu: 1 << 20, cuda: 1 << 26 };

/** How many rows of queries are taken at a time, of which each has `heads` rows of `keys` scores. */
export function cappedRows(torch: Torch, heads: number, keys: number): number {
  const held = HELD[torch.usesCudaKernels ? 'cuda' : 'cpu'];
  return Math.max(8, Math.floor(held / (heads * keys)));
}

const wide = (torch: Torch, x: Handle): Handle =>
  torch.dtypeOf(x) === 'float32' ? x : torch.cast(x, 'float32');

const like = (torch: Torch, x: Handle, other: Handle): Handle =>
  torch.dtypeOf(x) === torch.dtypeOf(other) ? x : torch.cast(x, torch.dtypeOf(other));

function transposed(torch: Torch, x: Handle): Handle {
  const rank = torch.rankOf(x);
  return torch.call('transpose.int', x, rank - 2, rank - 1);
}

/** The weights [.., r, m] of keys in float32, and the tanh that caps their scores. */
function weightsOf(
  torch: Torch,
  { q, k, scale, softCap, mask }: CappedInputs,
): { weights: Handle; tanh: Handle } {
  const inPlace = (x: Handle, factor: number) =>
    torch.call('mul_.Tensor', x, torch.full([], factor, 'float32'));
  // the products are this function's own
  const tanh = torch.call(
    'tanh',
    inPlace(wide(torch, torch.call('matmul', q, transposed(torch, k))), scale / softCap),
  );
  const shape = torch.shapeOf(tanh);
  const capped = torch.call('mul.Tensor', tanh, torch.full([], softCap, 'float32'));
  const scores = mask ? torch.view(torch.add(torch.view(capped, mask.shape), mask.values), shape) : capped;
  return { weights: torch.call('_softmax', scores, shape.length - 1, false), tanh };
}

/** Attention [.., r, D] in the type of v. */
export function cappedAttention(torch: Torch, inputs: CappedInputs): Handle {
  const { weights } = weightsOf(torch, inputs);
  return torch.call('matmul', like(torch, weights, inputs.v), inputs.v);
}

/** Gradients like q, k and v, in float32, given that of the result, [.., r, D]. */
export function cappedAttentionGrad(
  torch: Torch,
  inputs: CappedInputs,
  dy: Handle,
): { dq: Handle; dk: Handle; dv: Handle } {
  const { q, k, v, scale } = inputs;
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  const product = (a: Handle, b: Handle) => wide(torch, torch.call('matmul', a, b));
  const { weights, tanh } = weightsOf(torch, inputs);
  const change = product(dy, transposed(torch, v));
  // from the weights themselves: in a narrow type the rounded result would give another mean
  const mean = torch.call('sum.dim_IntList', mul(weights, change), [torch.rankOf(weights) - 1], true, null);
  // weights · (change − mean) · (1 − tanh²) · scale
  const one = torch.full([], 1, 'float32');
  const slopes = torch.call('mul_.Tensor', torch.add(change, mean, -1), weights);
  torch.call('mul_.Tensor', slopes, torch.add(one, mul(tanh, tanh), -1));
  torch.call('mul_.Tensor', slopes, torch.full([], scale, 'float32'));
  const narrow = like(torch, slopes, q);
  return {
    dq: product(narrow, k),
    dk: product(transposed(torch, narrow), q),
    dv: product(transposed(torch, like(torch, weights, dy)), dy),
  };
}
