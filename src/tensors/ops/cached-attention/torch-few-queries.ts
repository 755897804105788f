import type { TorchBackend } from '../../torch/backend.js';
import type { Handle } from '../../torch/library.js';

/** Single rows of several slots, whose queries meet the keys of their slots. */
export interface FewQueries {
  readonly runs: number;
  /** The queries, row by row: [runs, Hkv · group · D]. */
  readonly queries: Handle;
  /** The keys of each run and key head: [runs · Hkv, span, D]. */
  readonly keys: Handle;
  /** The whole cache of values: [slots · Hkv · maxLength, D]. */
  readonly values: Handle;
  /** The row of `values` where what each run and key head sees begins. */
  readonly firsts: readonly number[];
  /** Positions that are read of each run. */
  readonly span: number;
  /** Queries that share a key head. */
  readonly group: number;
  readonly headDim: number;
  readonly scale: number;
  /** 0 or −∞, [runs, 1, group, span]. */
  readonly mask: Handle | undefined;
  /** Keeps what only positions decide. */
  readonly kept: (name: string, make: () => Handle) => Handle;
}

/** Torch's attention for the processor reads keys at half the speed of memory where few queries share them. */
export const areFewQueries = (runs: number, group: number, headDim: number): boolean =>
  runs > 1 && group <= 3 && headDim >= 128;

/**
 * Attention of single rows on the processor in float32: scores by products with the queries turned round, and sums of
 * values as weighted bags of rows; products of so few rows read them more slowly. [runs · H, D].
 */
export function attendFew(backend: TorchBackend, o: FewQueries): Handle {
  const { torch } = backend;
  const { group, span, headDim, firsts } = o;
  const batch = firsts.length;
  const scaled = torch.call('mul.Tensor', o.queries, torch.full([], o.scale, 'float32'));
  const turned = torch.view(scaled, [batch, headDim, group], [group * headDim, 1, headDim]);
  const products = torch.call('bmm', o.keys, turned);
  const shape = [batch, group, span];
  const rows = torch.view(products, shape, [span * group, 1, group]);
  const scores = torch.contiguous(rows, shape, 'float32');
  const apart = [o.runs, batch / o.runs, group, span];
  const seen = o.mask ? torch.add(torch.view(scores, apart), o.mask) : scores;
  const weights = torch.call('_softmax', torch.view(seen, [batch * group, span]), 1, false);
  const indices = o.kept('bags', () => {
    const starts = backend.integers(
      Int32Array.from(firsts.flatMap((first) => Array<number>(group).fill(first))),
    );
    const steps = backend.integers(Int32Array.from({ length: span }, (_, i) => i));
    const all = torch.addIntegers(torch.view(starts, [batch * group, 1]), torch.view(steps, [1, span]));
    return torch.view(all, [batch * group * span]);
  });
  const offsets = o.kept('bag starts', () =>
    backend.integers(Int32Array.from({ length: batch * group }, (_, i) => i * span)),
  );
  const flat = torch.view(weights, [batch * group * span]);
  const sums = [o.values, indices, offsets, false, 0, false, flat, false, -1] as const;
  return torch.callAll('_embedding_bag_forward_only', ...sums)[0] as Handle;
}
