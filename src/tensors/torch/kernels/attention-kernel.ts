/**
 * Attention on CUDA: one call for all samples of a pack, or for all slots of a cache.
 *
 * | GPU, type                                     | kernel    | why                                                       |
 * |-----------------------------------------------|-----------|-----------------------------------------------------------|
 * | capability ≥ 8.0, bfloat16 or float16         | flash     | the fastest; reads grouped keys and a cache as they lie    |
 * | below 8.0 (T4), or float32, or odd head sizes | efficient | the only kernel that remains; every query head needs a key head of its own |
 */
import type { TorchDtype } from '../dtypes.js';
import type { Torch } from '../torch.js';

export type AttentionKernel = 'flash' | 'efficient';

/** The kernel for a type of elements; undefined on the processor. */
export function attentionKernel(
  torch: Torch,
  dtype: TorchDtype,
  headDim: number,
): AttentionKernel | undefined {
  if (!torch.usesCudaKernels) return undefined;
  const half = dtype === 'bfloat16' || dtype === 'float16';
  const flash =
    half &&
    (torch.gpu?.capability ?? 0) >= 8 &&
    headDim % 8 === 0 &&
    headDim <= 256 &&
    torch.knows('_flash_attention_forward') &&
    torch.knows('_flash_attention_backward');
  return flash ? 'flash' : 'efficient';
}
