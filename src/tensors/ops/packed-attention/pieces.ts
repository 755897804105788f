/** Rows of queries that are computed together, and the keys that at least one of them sees. */
export interface AttentionPiece {
  /** The first of its rows, counted from the first that was given. */
  readonly row: number;
  readonly rows: number;
  /** The first key that any of them sees, counted from the start of the sample. */
  readonly key: number;
  /** How many keys there are from that one to the last that the last row sees. */
  readonly keys: number;
}

/** Rows of a piece that a window limits: enough for matrix products, and few beside the keys of a usual window. */
const PIECE_ROWS = 256;

/**
 * Cuts rows of queries, of which the first sees `visible` keys and each of the others one more, so that the work is in
 * proportion to the window: first the rows that see all before them, then {@link PIECE_ROWS} at a time. Row i of a
 * piece sees the last `window` of its first keys − rows + 1 + i keys.
 * @param most rows of any piece
 */
export function attentionPieces(
  rows: number,
  visible: number,
  window = Number.POSITIVE_INFINITY,
  most = Number.POSITIVE_INFINITY,
): AttentionPiece[] {
  const pieces: AttentionPiece[] = [];
  for (let row = 0; row < rows; ) {
    const seen = visible + row;
    const count = Math.min(rows - row, most, seen < window ? window - seen + 1 : PIECE_ROWS);
    const key = Math.max(0, seen - window);
    pieces.push({ row, rows: count, key, keys: seen + count - 1 - key });
    row += count;
  }
  return pieces;
}
