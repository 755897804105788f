/** Attention whose scores are capped, in matrix products: PyTorch has no kernel in one piece for it. */
import type { Handle } from '../library.js';
import type { Torch } from '../torch.js';
import { capped } from './soft-cap.js';

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

const wide = (torch: Torch, x: Handle): Handle =>
  torch.dtypeOf(x) === 'float32' ? x : torch.cast(x, 'float32');

const like = (torch: Torch, x: Handle, other: Handle): Handle =>
  torch.dtypeOf(x) === torch.dtypeOf(other) ? x : torch.cast(x, torch.dtypeOf(other));

function transposed(torch: Torch, x: Handle): Handle {
  const rank = torch.rankOf(x);
  return torch.call('transpose.int', x, rank - 2, rank - 1);
}

/** The capped and masked scores [.., r, m] in float32, and the slope of the cap. */
function cappedScores(
  torch: Torch,
  { q, k, scale, softCap, mask }: CappedInputs,
): { scores: Handle; slope: Handle } {
  const products = wide(torch, torch.call('matmul', q, transposed(torch, k)));
  const { values, slope } = capped(torch, products, softCap, scale);
  if (!mask) return { scores: values, slope: slope as Handle };
  const shape = torch.shapeOf(values);
  const sum = torch.add(torch.view(values, mask.shape), mask.values);
  return { scores: torch.view(sum, shape), slope: slope as Handle };
}

/** Attention [.., r, D] in the type of v, and log Σ e^score [.., r] in float32. */
export function cappedAttention(torch: Torch, inputs: CappedInputs): { out: Handle; logSumExp: Handle } {
  const { scores } = cappedScores(torch, inputs);
  const last = torch.rankOf(scores) - 1;
  const weights = like(torch, torch.call('_softmax', scores, last, false), inputs.v);
  return {
    out: torch.call('matmul', weights, inputs.v),
    logSumExp: torch.call('logsumexp', scores, [last], false),
  };
}

/** Gradients like q, k and v, in float32, given that of the result, [.., r, D], and its sums [.., r]. */
export function cappedAttentionGrad(
  torch: Torch,
  inputs: CappedInputs,
  { dy, logSumExp }: { dy: Handle; logSumExp: Handle },
): { dq: Handle; dk: Handle; dv: Handle } {
  const { q, k, v, scale } = inputs;
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  const product = (a: Handle, b: Handle) => wide(torch, torch.call('matmul', a, b));
  const { scores, slope } = cappedScores(torch, inputs);
  const sums = [...torch.shapeOf(logSumExp), 1];
  const weights = torch.call('exp', torch.add(scores, torch.view(logSumExp, sums), -1));
  const change = product(dy, transposed(torch, v));
  // from the weights themselves: in a narrow type the rounded result would give another mean
  const mean = torch.call('sum.dim_IntList', mul(weights, change), [sums.length - 1], true, null);
  const difference = torch.add(change, mean, -1);
  const slopes = mul(mul(mul(weights, difference), slope), torch.full([], scale, 'float32'));
  const narrow = like(torch, slopes, q);
  return {
    dq: product(narrow, k),
    dk: product(transposed(torch, narrow), q),
    dv: product(transposed(torch, like(torch, weights, dy)), dy),
  };
}
