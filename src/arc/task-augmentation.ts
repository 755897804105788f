import type { Rng } from '../common/rng.js';
import { drawColorMap } from './augmentation.js';
import {
  gridShape,
  joinColumns,
  joinRows,
  type Margins,
  maxGridSide,
  padGrid,
  recolorGrid,
  turnGrid,
  upscaleGrid,
} from './grid.js';
import type { Grid, Sample, Task, TestSample } from './types.js';

/** A change of a grid that loses nothing of it. */
export type GridTransform =
  | { readonly kind: 'geometric'; readonly flip: boolean; readonly rotations: number }
  | { readonly kind: 'padding'; readonly margins: Margins; readonly color: number }
  | { readonly kind: 'upscaling'; readonly rows: number; readonly columns: number }
  | { readonly kind: 'mirroring'; readonly across: boolean; readonly down: boolean; readonly after: boolean }
  | { readonly kind: 'colors'; readonly colorMap: readonly number[] };

/**
 * Makes a new task by changing only the inputs or only the outputs of an old one: what has to be found out is
 * then the old rule and the change. Plain JSON.
 */
export interface TaskAugmentation {
  readonly side: 'input' | 'output';
  /** Applied one after the other. Empty: the task stays as it is. */
  readonly transforms: readonly GridTransform[];
}

/** How likely each number of transforms, each kind and each side is; only ratios matter. */
export interface TaskAugmentationWeights {
  /** `counts[n]` is the weight of n transforms. */
  readonly counts: readonly number[];
  readonly kinds: Readonly<Record<GridTransform['kind'], number>>;
  readonly sides: Readonly<Record<TaskAugmentation['side'], number>>;
}

/** Half of the tasks change, most by one transform, inputs as often as outputs. */
export const defaultTaskAugmentationWeights: TaskAugmentationWeights = {
  counts: [0.5, 0.4, 0.1],
  kinds: { geometric: 3, padding: 2, upscaling: 1, mirroring: 1, colors: 1 },
  sides: { input: 1, output: 1 },
};

const drawTransform: { [K in GridTransform['kind']]: (rng: Rng) => GridTransform } = {
  geometric: (rng) => {
    const symmetry = rng.int(1, 7); // 0 would be the identity
    return { kind: 'geometric', flip: symmetry >= 4, rotations: symmetry % 4 };
  },
  padding: (rng) => {
    const color = rng.chance(0.5) ? 0 : rng.int(1, 9);
    if (rng.chance(0.5)) {
      const width = rng.int(1, 2);
      return { kind: 'padding', margins: { top: width, bottom: width, left: width, right: width }, color };
    }
    const margins = { top: 0, bottom: 0, left: 0, right: 0 };
    for (const side of rng.sample(['top', 'bottom', 'left', 'right'] as const, rng.int(1, 2))) {
      margins[side] = rng.int(1, 3);
    }
    return { kind: 'padding', margins, color };
  },
  upscaling: (rng) => {
    const [rows, columns] = rng.pickWeighted(
      [
        [2, 2],
        [3, 3],
        [1, 2],
        [2, 1],
      ] as const,
      [4, 2, 1, 1],
    );
    return { kind: 'upscaling', rows, columns };
  },
  mirroring: (rng) => {
    const layout = rng.int(1, 3);
    return { kind: 'mirroring', across: layout !== 2, down: layout !== 1, after: rng.chance(0.5) };
  },
  colors: (rng) => ({ kind: 'colors', colorMap: drawColorMap(rng) }),
};

/** Draws a task augmentation; weights that are not given keep their defaults. */
export function drawTaskAugmentation(
  rng: Rng,
  weights: Partial<TaskAugmentationWeights> = {},
): TaskAugmentation {
  const { counts, kinds, sides } = { ...defaultTaskAugmentationWeights, ...weights };
  const count = rng.pickWeighted([...counts.keys()], counts);
  const names = Object.keys(kinds) as GridTransform['kind'][];
  return {
    side: rng.pickWeighted(['input', 'output'] as const, [sides.input, sides.output]),
    transforms: Array.from({ length: count }, () =>
      drawTransform[
        rng.pickWeighted(
          names,
          names.map((name) => kinds[name]),
        )
      ](rng),
    ),
  };
}

/** Applies one transform to a grid, whatever size comes out. */
export function transformGrid(grid: Grid, transform: GridTransform): Grid {
  switch (transform.kind) {
    case 'geometric':
      return turnGrid(grid, transform.flip, transform.rotations);
    case 'padding':
      return padGrid(grid, transform.margins, transform.color);
    case 'upscaling':
      return upscaleGrid(grid, transform.rows, transform.columns);
    case 'colors':
      return recolorGrid(grid, transform.colorMap);
    case 'mirroring': {
      let result = grid;
      if (transform.across) {
        const mirrored = turnGrid(result, true, 0);
        result = transform.after ? joinColumns(result, mirrored) : joinColumns(mirrored, result);
      }
      if (transform.down) {
        const mirrored = turnGrid(result, true, 2);
        result = transform.after ? joinRows(result, mirrored) : joinRows(mirrored, result);
      }
      return result;
    }
  }
}

/** How large a transform makes a grid. */
function transformedShape([height, width]: [number, number], transform: GridTransform): [number, number] {
  switch (transform.kind) {
    case 'geometric':
      return transform.rotations % 2 === 0 ? [height, width] : [width, height];
    case 'padding': {
      const { top, bottom, left, right } = transform.margins;
      return [height + top + bottom, width + left + right];
    }
    case 'upscaling':
      return [height * transform.rows, width * transform.columns];
    case 'mirroring':
      return [height * (transform.down ? 2 : 1), width * (transform.across ? 2 : 1)];
    case 'colors':
      return [height, width];
  }
}

/**
 * Makes the new task. A transform that would make any of the task's grids longer than 30 is left out. Unknown
 * test outputs stay unknown.
 */
export function applyTaskAugmentation(task: Task, { side, transforms }: TaskAugmentation): Task {
  const candidatesOf = ({ candidates = [] }: TestSample) => (side === 'output' ? candidates : []);
  let shapes = [...task.train, ...task.test].flatMap((sample) => {
    const grid = sample[side];
    return [...(grid === undefined ? [] : [grid]), ...candidatesOf(sample)].map(gridShape);
  });
  const fitting = transforms.filter((transform) => {
    const next = shapes.map((shape) => transformedShape(shape, transform));
    const fits = next.every(([height, width]) => height <= maxGridSide && width <= maxGridSide);
    if (fits) shapes = next;
    return fits;
  });
  if (fitting.length === 0) return task;
  const change = (grid: Grid) => fitting.reduce(transformGrid, grid);
  const changed = (sample: TestSample) => {
    const grid = sample[side];
    const candidates = candidatesOf(sample);
    return {
      ...sample,
      ...(grid === undefined ? {} : { [side]: change(grid) }),
      ...(candidates.length === 0 ? {} : { candidates: candidates.map(change) }),
    };
  };
  // the old rule's code goes: it is not that of the new one
  return { train: task.train.map((sample) => changed(sample) as Sample), test: task.test.map(changed) };
}
