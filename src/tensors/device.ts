import { UserError } from '../common/errors.js';

/** Where a backend keeps its tensors: the processor (index −1), a CUDA device, or a GPU of any maker. */
export interface Device {
  readonly type: 'cpu' | 'cuda' | 'gpu';
  readonly index: number;
  /** The beginning of a GPU's name, where that was given in the place of its index (−1). */
  readonly name?: string;
}

/** How a backend calls its GPUs: CUDA's by their numbers, or any maker's by numbers or names. */
export type GpuKind = 'cuda' | 'gpu';

/**
 * Reads `cpu`, `cuda` (the first one) or `cuda:N`; for a backend of GPUs of any maker `gpu`, `gpu:N`, or else the
 * beginning of a name.
 * @throws {UserError} for anything else
 */
export function parseDevice(text: string, kind: GpuKind = 'cuda'): Device {
  if (text === 'cpu') return { type: 'cpu', index: -1 };
  const match = new RegExp(`^${kind}(?::(\\d+))?$`).exec(text);
  if (match) return { type: kind, index: Number(match[1] ?? 0) };
  if (kind === 'gpu' && !text.includes(':') && text.trim() !== '')
    return { type: kind, index: -1, name: text };
  const expected = kind === 'gpu' ? "gpu, gpu:<n> or the beginning of a GPU's name" : 'cpu, cuda or cuda:<n>';
  throw new UserError(`\`device\`: expected ${expected}, found "${text}"`);
}

/** The inverse of {@link parseDevice}. */
export function deviceName({ type, index, name }: Device): string {
  return type === 'cpu' ? type : (name ?? `${type}:${index}`);
}
