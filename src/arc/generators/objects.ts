import {
  type Component,
  copyGrid,
  filledGrid,
  flipLeftRight,
  flipUpsideDown,
  gridShape,
  type MutableGrid,
  mapGrid,
  pasteGrid,
} from '../grid.js';
import {
  apart,
  contains,
  diagonalSteps,
  isEmpty,
  paint,
  paintBox,
  straightSteps,
  touchesEdge,
} from './canvas.js';
import { defineFamily } from './define.js';
import type { Draw } from './draw.js';

/** A grid with objects of different sizes, ordered from the one with most cells to the one with fewest. */
function sizedObjects(draw: Draw, color?: number): { input: MutableGrid; objects: Component[] } | null {
  const input = draw.blank(5);
  const options = color === undefined ? {} : { color: () => color };
  const objects = draw.objects(input, { cells: [1, 7], differentSizes: true, ...options });
  return objects && { input, objects: objects.sort((a, b) => b.cells.length - a.cells.length) };
}

/** Rules that pick objects by size: what is painted over which objects (largest first). */
function bySize(
  name: string,
  description: string,
  chosen: (objects: readonly Component[]) => readonly Component[],
  erase: boolean,
) {
  return {
    name,
    description,
    smallest: 5,
    rule: (draw: Draw) => {
      const [own, mark] = draw.colors(2);
      return () => {
        const drawn = sizedObjects(draw, erase ? undefined : own);
        if (drawn === null) return null;
        const output = copyGrid(drawn.input);
        for (const object of chosen(drawn.objects)) paint(output, object.cells, erase ? 0 : mark!);
        return { input: drawn.input, output };
      };
    },
  };
}

export const objects = defineFamily('objects', [
  bySize('keep-largest', 'Delete all objects but the largest.', (objects) => objects.slice(1), true),
  bySize('keep-smallest', 'Delete all objects but the smallest.', (objects) => objects.slice(0, -1), true),
  bySize('remove-largest', 'Delete the largest object.', (objects) => objects.slice(0, 1), true),
  bySize('recolor-largest', 'Recolour the largest object.', (objects) => objects.slice(0, 1), false),
  bySize('recolor-smallest', 'Recolour the smallest object.', (objects) => objects.slice(-1), false),
  {
    name: 'recolor-by-size',
    description: 'Objects take a colour that stands for their number of cells.',
    smallest: 5,
    rule: (draw) => {
      const [own, ...colors] = draw.colors(4);
      return () => {
        const input = draw.blank(5);
        const objects = draw.objects(input, { cells: [1, 3], color: () => own! });
        if (objects === null) return null;
        const output = copyGrid(input);
        for (const { cells } of objects) paint(output, cells, colors[cells.length - 1]!);
        return { input, output, uses: objects.map(({ cells }) => cells.length) };
      };
    },
  },
  {
    name: 'move-objects',
    description: 'All objects move by the same steps.',
    smallest: 5,
    rule: (draw) => {
      const [down, right] = [draw.rng.int(-2, 2), draw.rng.int(-2, 2)];
      if (down === 0 && right === 0) return () => null;
      return () => {
        const input = draw.blank(5);
        const objects = draw.objects(input, { least: 1, cells: [1, 4] });
        if (objects === null) return null;
        const output = filledGrid(...gridShape(input));
        for (const { cells, color } of objects) {
          const moved = cells.map(([r, c]) => [r + down, c + right] as const);
          if (moved.some(([r, c]) => !contains(input, r, c))) return null;
          paint(output, moved, color);
        }
        return { input, output };
      };
    },
  },
  {
    name: 'outline-objects',
    description: 'Draw a ring around each object.',
    smallest: 4,
    rule: (draw) => {
      const [ring, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.blank(4);
        const objects = draw.objects(input, {
          least: 1,
          most: 3,
          cells: [1, 3],
          color: () => draw.rng.pick(others),
        });
        if (objects === null) return null;
        const output = copyGrid(input);
        for (const { cells } of objects) {
          for (const [r, c] of cells) {
            paintBox(output, { top: r - 1, left: c - 1, height: 3, width: 3 }, ring!);
          }
        }
        for (const { cells, color } of objects) paint(output, cells, color);
        return { input, output };
      };
    },
  },
  {
    name: 'mirror-objects',
    description: 'Each object is mirrored where it stands.',
    smallest: 5,
    rule: (draw) => {
      const flip = draw.rng.pick([flipLeftRight, flipUpsideDown]);
      return () => {
        const input = draw.blank(5);
        const objects = draw.objects(input, { least: 1, cells: [3, 6] });
        // a small object may stand in the notch of a larger one, where the mirror image would fall on it
        if (objects === null || !apart(objects)) return null;
        const output = filledGrid(...gridShape(input));
        for (const { cells, color, ...box } of objects) {
          const picture = filledGrid(box.height, box.width);
          paint(
            picture,
            cells.map(([r, c]) => [r - box.top, c - box.left]),
            color,
          );
          pasteGrid(output, flip(picture), box.top, box.left);
        }
        return { input, output };
      };
    },
  },
  {
    name: 'fill-bounding-boxes',
    description: 'The empty cells in the rectangle around each object are coloured.',
    smallest: 4,
    rule: (draw) => {
      const [filling, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.blank(4);
        const objects = draw.objects(input, {
          least: 1,
          cells: [3, 6],
          color: () => draw.rng.pick(others),
        });
        if (objects === null) return null;
        const output = copyGrid(input);
        for (const object of objects) {
          paintBox(output, object, filling!);
          paint(output, object.cells, object.color);
        }
        return { input, output };
      };
    },
  },
  {
    name: 'recolor-at-edge',
    description: 'Recolour the objects that touch the edge of the grid.',
    smallest: 5,
    rule: (draw) => {
      const [own, mark] = draw.colors(2);
      return () => {
        const input = draw.blank(5);
        const objects = draw.objects(input, { cells: [1, 4], color: () => own! });
        if (objects === null) return null;
        const output = copyGrid(input);
        const touching = objects.filter((object) => touchesEdge(input, object));
        // one that stays shows that not all change
        if (touching.length === objects.length) return null;
        for (const { cells } of touching) paint(output, cells, mark!);
        return { input, output };
      };
    },
  },
  {
    name: 'recolor-rectangles',
    description: 'Recolour the objects that are full rectangles.',
    smallest: 5,
    rule: (draw) => {
      const [own, mark] = draw.colors(2);
      return () => {
        const input = draw.blank(5);
        const objects = draw.objects(input, { cells: [2, 5], color: () => own! });
        if (objects === null) return null;
        const output = copyGrid(input);
        const full = objects.filter(({ cells, height, width }) => cells.length === height * width);
        for (const { cells } of full) paint(output, cells, mark!);
        return { input, output, uses: full.length < objects.length ? [1] : [] };
      };
    },
  },
  {
    name: 'denoise',
    description: 'Delete the single cells; rectangles stay.',
    smallest: 4,
    rule: (draw) => () => {
      const output = draw.blank(4);
      const [height, width] = gridShape(output);
      const own = draw.color();
      const blocks = draw.count(1, 2);
      for (let i = 0; i < blocks; i++) {
        const box = draw.place(
          output,
          draw.rng.int(2, Math.max(2, Math.floor(height / 2))),
          draw.rng.int(2, Math.max(2, Math.floor(width / 2))),
        );
        if (box) paintBox(output, box, own);
      }
      const input = copyGrid(output);
      for (const [r, c] of draw.cells(height, width, 3 * draw.count(2))) {
        if (isEmpty(input, r - 1, c - 1, 3, 3)) input[r]![c] = own;
      }
      return { input, output };
    },
  },
  {
    name: 'explode',
    description: 'Each single cell throws copies of itself to its diagonal, or straight, neighbours.',
    rule: (draw) => {
      const steps = draw.rng.pick([straightSteps, diagonalSteps]);
      const keep = draw.rng.chance(0.7);
      return () => {
        const input = draw.blank(3);
        const color = draw.color();
        const objects = draw.objects(input, { least: 1, cells: [1, 1], color: () => color });
        if (objects === null) return null;
        const output = keep ? copyGrid(input) : mapGrid(input, () => 0);
        for (const { top, left } of objects) {
          paint(
            output,
            steps.map(([down, right]) => [top + down, left + right]),
            color,
          );
        }
        return { input, output };
      };
    },
  },
]);
