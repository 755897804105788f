/** @file Element types, and the numbers by which libtorch knows them. */
import type { TorchLibrary } from './library.js';

const bytes = {
  float64: 8,
  float32: 4,
  bfloat16: 2,
  float16: 2,
  int8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
} as const;

/** Element types of torch that we use. */
export type TorchDtype = keyof typeof bytes;

/** The bytes of one element. */
export const bytesOfDtype: Readonly<Record<TorchDtype, number>> = bytes;

/** The number of each type. */
export function dtypeNumbers(library: TorchLibrary): Record<TorchDtype, number> {
  const names = Object.keys(bytes) as TorchDtype[];
  const entries = names.map((name) => [name, library.value(`int32_t aoti_torch_dtype_${name}()`)()]);
  return Object.fromEntries(entries) as Record<TorchDtype, number>;
}
