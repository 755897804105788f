import type { WebGpuBackend } from '../backend.js';
import common from './attention.wgsl';

/** The text that all kernels of attention begin with. */
export const attentionCode = common;

/** Rows and keys of a workgroup, the largest first. */
const TILES = [
  [16, 32],
  [16, 16],
  [8, 16],
  [8, 8],
  [4, 8],
  [2, 4],
] as const;

/** The largest width of a head, by the registers of `attention.wgsl`. */
const MOST_DIM = 256;

/** WGSL's number for no window: larger than any position. */
export const NO_WINDOW = 2 ** 30;

/** The constants of a kernel. @param copies of its rows and keys that it has in workgroup memory */
export function attentionTile(
  backend: WebGpuBackend,
  headDim: number,
  copies: number,
): { DIM: number; ROWS: number; KEYS: number } {
  if (headDim > MOST_DIM) {
    throw new Error(`attention on webgpu: expected heads of at most ${MOST_DIM}, found ${headDim}`);
  }
  const room = backend.device.limits.maxComputeWorkgroupStorageSize / 4;
  const fits = TILES.find(([rows, keys]) => copies * ((rows + keys) * (headDim + 1) + rows * keys) <= room);
  const [ROWS, KEYS] = fits ?? TILES.at(-1)!;
  return { DIM: headDim, ROWS, KEYS };
}

/** Checks that heads can be shared out. */
export function checkHeads(heads: number, keyHeads: number): void {
  if (heads % keyHeads === 0) return;
  throw new Error(`attention: ${heads} heads of queries cannot share ${keyHeads} of keys`);
}
