import type { FloatsOnHost } from './adapter-state.js';

/** A matrix on the host with rows and columns exchanged: [m, n] → [n, m]. */
export function transposed(matrix: FloatsOnHost): FloatsOnHost {
  const [rows, columns] = matrix.shape as [number, number];
  const values = new Float32Array(matrix.values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      values[column * rows + row] = matrix.values[row * columns + column]!;
    }
  }
  return { ...matrix, shape: [columns, rows], values };
}
