import type { Grid } from '../arc/types.js';

/** How a predicted grid compares with the right one. */
export interface GridScore {
  readonly exact: boolean;
  readonly sameSize: boolean;
  /** The fraction of cells with the right colour; 0 when the size is wrong. */
  readonly correctPixels: number;
}

const NO_ANSWER: GridScore = { exact: false, sameSize: false, correctPixels: 0 };

/** Compares a prediction with the solution; an answer that is no grid scores like one of the wrong size. */
export function scoreGrid(prediction: Grid | null, solution: Grid): GridScore {
  if (prediction === null || prediction.length !== solution.length) return NO_ANSWER;
  let right = 0;
  let cells = 0;
  for (const [y, row] of solution.entries()) {
    if (prediction[y]!.length !== row.length) return NO_ANSWER;
    cells += row.length;
    for (const [x, color] of row.entries()) if (prediction[y]![x] === color) right++;
  }
  return { exact: right === cells, sameSize: true, correctPixels: right / cells };
}
