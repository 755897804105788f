import type { AttentionPiece } from '../../ops/packed-attention/pieces.js';
import type { TorchBackend } from '../backend.js';
import type { TorchDtype } from '../dtypes.js';
import type { Handle } from '../library.js';

/** Whether rows of a piece see different keys, and not simply all that lie before them. */
export function needsMask({ rows, keys }: AttentionPiece, window = Number.POSITIVE_INFINITY): boolean {
  return keys > window || (rows > 1 && keys > rows);
}

/**
 * One table [rows, width] of 0 and −∞ of which the mask of every piece is a part: in it, row i sees the columns up to
 * `reach` + i, and of these the last `window`.
 */
export interface MaskTable {
  readonly rows: number;
  readonly width: number;
  readonly reach: number;
}

/** The table for pieces. */
export function maskTable(pieces: readonly AttentionPiece[]): MaskTable {
  const rows = pieces.reduce((most, piece) => Math.max(most, piece.rows), 0);
  const reach = pieces.reduce((most, piece) => Math.max(most, piece.keys - piece.rows), 0);
  return { rows, reach, width: reach + rows };
}

/** Puts a table on the device. */
export function uploadTable(
  backend: TorchBackend,
  { rows, width, reach }: MaskTable,
  window: number | undefined,
  dtype: TorchDtype,
): Handle {
  const values = new Float32Array(rows * width).fill(-Infinity);
  for (let i = 0; i < rows; i++) {
    const end = reach + i + 1;
    values.fill(0, i * width + Math.max(0, end - (window ?? end)), i * width + end);
  }
  return backend.torch.cast(backend.floats(values), dtype);
}

/** The mask [rows, keys] of a piece, as a view of the table. */
export function maskOf(
  backend: TorchBackend,
  table: Handle,
  { width, reach }: MaskTable,
  { rows, keys }: AttentionPiece,
): Handle {
  return backend.torch.view(table, [rows, keys], [width, 1], reach - (keys - rows));
}

/** Numbers of a mask between places where PyTorch's kernel for GPUs begins to read: 16 bytes of the narrowest type. */
const ALIGNED = 8;

/**
 * The same for `scaled_dot_product_attention` on a GPU. It copies a mask whose rows are not multiples of {@link ALIGNED}
 * apart, but looks at strides alone: of a view that begins in between, 16 bytes are read at a misaligned address.
 *
 * Its memory-efficient kernel has a second trap (PyTorch up to 2.13): where one query is left for a block of 32 or 64
 * and the heads have their keys at one place (stride 0), it takes the heads for rows, and gives that query the mask of
 * the first one. So what shares keys there has to be the batch, not the heads.
 */
export function alignedMaskOf(
  backend: TorchBackend,
  table: Handle,
  of: MaskTable,
  piece: AttentionPiece,
): Handle {
  const { torch } = backend;
  const { rows, keys } = piece;
  const offset = of.reach - (keys - rows);
  const part = maskOf(backend, table, of, piece);
  if (of.width % ALIGNED === 0 && offset % ALIGNED === 0) return part;
  const step = Math.ceil(keys / ALIGNED) * ALIGNED;
  const place = torch.view(torch.empty([rows, step], torch.dtypeOf(table)), [rows, keys], [step, 1]);
  torch.copy(place, part);
  return place;
}
