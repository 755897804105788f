import { UserError } from '../common/errors.js';

/** Where a backend keeps its tensors: the processor (index −1) or a CUDA device. */
export interface Device {
  readonly type: 'cpu' | 'cuda';
  readonly index: number;
}

/** Reads `cpu`, `cuda` (the first one) or `cuda:N`. @throws {UserError} for anything else */
export function parseDevice(text: string): Device {
  if (text === 'cpu') return { type: 'cpu', index: -1 };
  const match = /^cuda(?::(\d+))?$/.exec(text);
  if (match) return { type: 'cuda', index: Number(match[1] ?? 0) };
  throw new UserError(`\`device\`: expected cpu, cuda or cuda:<n>, found "${text}"`);
}

/** The inverse of {@link parseDevice}. */
export function deviceName({ type, index }: Device): string {
  return type === 'cpu' ? type : `${type}:${index}`;
}
