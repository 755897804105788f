import type { Grid, Task } from '../arc/types.js';
import { scoreGrid } from '../evaluation/grids.js';
import type { Candidate } from '../evaluation/voting.js';
import { cellSizeFor, describeGrid, FRAME_MARGIN, type GridOptions, gridPicture } from './grid-svg.js';
import { INK, RIGHT, WRONG } from './palette.js';
import { arrow, column, flow, type Picture, row, textPicture, toSvg } from './picture.js';

/** How pictures of several grids are laid out. */
export interface LayoutOptions {
  /** The longest side of a grid in pixels (default 120); all grids of a picture have cells of one size. */
  maxSize?: number;
  /** The width in pixels after which a new row begins (default 900). */
  width?: number;
  /** A headline, also the accessible title. */
  title?: string;
}

/** Something with a line of text above. */
function labelled(picture: Picture, label: string): Picture {
  return column([textPicture(label, { size: 11 }), picture], 4);
}

function questionMark(size: number): Picture {
  return textPicture('?', { size, weight: 700 });
}

/** Input, arrow, output (a question mark when it is not known), with a label above. */
function pairPicture(input: Grid, output: Grid | undefined, cellSize: number, label: string): Picture {
  const right = output === undefined ? questionMark(32) : gridPicture(output, { cellSize });
  return labelled(row([gridPicture(input, { cellSize }), arrow(), right], 6), label);
}

function headline(title: string | undefined, picture: Picture): Picture {
  if (title === undefined) return picture;
  return column([textPicture(title, { size: 14, weight: 600 }), picture], 10, 'start');
}

/** A task: its train samples as pairs, then its test inputs with their outputs where known. */
export function taskSvg(task: Task, { maxSize = 120, width = 900, title }: LayoutOptions = {}): string {
  const grids = [...task.train, ...task.test].flatMap(({ input, output }) =>
    output ? [input, output] : [input],
  );
  const cellSize = cellSizeFor(grids, maxSize);
  const pairs = [
    ...task.train.map(({ input, output }, i) => pairPicture(input, output, cellSize, `train ${i + 1}`)),
    ...task.test.map(({ input, output }, i) => pairPicture(input, output, cellSize, `test ${i + 1}`)),
  ];
  const shown = title ?? `ARC task, ${task.train.length} train samples`;
  return toSvg(headline(title, flow(pairs, width, 28)), shown);
}

/** How a prediction compares with the solution, in words and in a frame that needs no colour vision. */
export interface Verdict {
  /** `right`, `97 % of cells` or `wrong size 3×4`; empty when the solution is not known. */
  readonly text: string;
  readonly options: Pick<GridOptions, 'frame' | 'dashed' | 'reference'>;
  readonly color: string;
}

/** Judges a prediction. */
export function judge(grid: Grid, solution: Grid | undefined): Verdict {
  if (solution === undefined) return { text: '', options: { frame: INK }, color: INK };
  const { exact, sameSize, correctPixels } = scoreGrid(grid, solution);
  if (exact) return { text: '✓ right', options: { frame: RIGHT, reference: solution }, color: RIGHT };
  // rounding 99.7 up to 100 would say that it is right
  const percent = Math.floor(100 * correctPixels);
  const text = sameSize ? `✗ ${percent}% of cells` : `✗ wrong size`;
  return { text, options: { frame: WRONG, dashed: true, reference: solution }, color: WRONG };
}

/** `12 votes`. */
export function countVotes(votes: number): string {
  return `${votes} ${votes === 1 ? 'vote' : 'votes'}`;
}

/** One test input with what was predicted for it. */
export interface PredictedInput {
  readonly input: Grid;
  /** The right output, where known: shown first, differences to it are marked. */
  readonly solution?: Grid;
  /** Ranked, best first. */
  readonly candidates: readonly Candidate[];
  /** How many predictions were no grid. */
  readonly unanswered?: number;
}

/**
 * A test input, the solution where known, and the best candidates with their votes; cells that differ from the
 * solution have a dot.
 */
export function predictionsSvg(
  { input, solution, candidates, unanswered = 0 }: PredictedInput,
  { maxSize = 120, width = 900, title, most = 4 }: LayoutOptions & { most?: number } = {},
): string {
  const shown = candidates.slice(0, most);
  const cellSize = cellSizeFor(
    [input, ...(solution ? [solution] : []), ...shown.map(({ grid }) => grid)],
    maxSize,
  );
  const pictures = [
    labelled(gridPicture(input, { cellSize, margin: FRAME_MARGIN }), 'test input'),
    ...(solution ? [labelled(gridPicture(solution, { cellSize, margin: FRAME_MARGIN }), 'solution')] : []),
    ...shown.map(({ grid, votes }) => {
      const { text, options, color } = judge(grid, solution);
      const label = textPicture(text === '' ? describeGrid(grid) : text, { size: 11, color });
      const picture = gridPicture(grid, { cellSize, ...options });
      return column([labelled(picture, countVotes(votes)), label], 4);
    }),
    ...(unanswered > 0 ? [textPicture(`${unanswered} unanswered`, { size: 11 })] : []),
    ...(shown.length === 0 ? [textPicture('no prediction is a grid', { size: 11 })] : []),
  ];
  return toSvg(
    headline(title, flow(pictures, width, 20, 'start')),
    title ?? 'Predictions for one test input',
  );
}

/** Grids side by side, each with a label below it, such as a generated input beside the originals. */
export function gridsSvg(
  grids: readonly { grid: Grid; label?: string }[],
  { maxSize = 96, width = 900, title }: LayoutOptions = {},
): string {
  const cellSize = cellSizeFor(
    grids.map(({ grid }) => grid),
    maxSize,
  );
  const pictures = grids.map(({ grid, label }) =>
    label === undefined ? gridPicture(grid, { cellSize }) : labelled(gridPicture(grid, { cellSize }), label),
  );
  return toSvg(headline(title, flow(pictures, width, 14)), title ?? `${grids.length} grids`);
}
