import { filledGrid, flipLeftRight, gridsEqual, joinColumns, joinRows, mapGrid } from '../grid.js';
import type { Grid } from '../types.js';
import { defineFamily, type GeneratorDefinition } from './define.js';
import type { Draw } from './draw.js';

/** Height and width of one of two panels that stand in a line with a divider between them. */
function panelShape(draw: Draw, across: boolean): [number, number] {
  const along = draw.side(2, Math.floor((draw.knobs.maxSize - 1) / 2));
  const other = draw.side(2, 6);
  return across ? [other, along] : [along, other];
}

/** Puts panels in a line with a divider of one colour between them. */
function joinPanels(panels: readonly Grid[], divider: number, across: boolean): Grid {
  const [first, ...rest] = panels;
  return rest.reduce<Grid>((joined, panel) => {
    const line = across ? filledGrid(panel.length, 1, divider) : filledGrid(1, panel[0]!.length, divider);
    return across ? joinColumns(joined, line, panel) : joinRows(joined, line, panel);
  }, first!);
}

/** Two panels, each of one colour; the answer has a third colour where the operation holds. */
function twoPanels(
  name: string,
  description: string,
  holds: (a: boolean, b: boolean) => boolean,
): GeneratorDefinition {
  return {
    name,
    description,
    smallest: 5,
    rule: (draw) => {
      const [divider, first, second, answer] = draw.colors(4);
      const across = draw.rng.chance(0.5);
      return () => {
        const [height, width] = panelShape(draw, across);
        const a = draw.noise(height, width, 0.5, [first!]);
        const b = draw.noise(height, width, 0.5, [second!]);
        const output = mapGrid(a, (color, r, c) => (holds(color !== 0, b[r]![c] !== 0) ? answer! : 0));
        return { input: joinPanels([a, b], divider!, across), output };
      };
    },
  };
}

export const logic = defineFamily('logic', [
  twoPanels('panels-and', 'Mark the cells that are coloured in both panels.', (a, b) => a && b),
  twoPanels('panels-or', 'Mark the cells that are coloured in either panel.', (a, b) => a || b),
  twoPanels('panels-xor', 'Mark the cells that are coloured in exactly one panel.', (a, b) => a !== b),
  twoPanels('panels-nor', 'Mark the cells that are coloured in neither panel.', (a, b) => !a && !b),
  twoPanels('panels-difference', 'Mark the cells that only the first panel has coloured.', (a, b) => a && !b),
  twoPanels('panels-equal', 'Mark the cells where both panels agree.', (a, b) => a === b),
  {
    name: 'panels-overlay',
    description: 'Lay one panel over the other; the first one lies on top.',
    smallest: 5,
    rule: (draw) => {
      const [divider, first, second] = draw.colors(3);
      const across = draw.rng.chance(0.5);
      return () => {
        const [height, width] = panelShape(draw, across);
        const a = draw.noise(height, width, 0.4, [first!]);
        const b = draw.noise(height, width, 0.5, [second!]);
        const output = mapGrid(a, (color, r, c) => color || b[r]![c]!);
        return { input: joinPanels([a, b], divider!, across), output };
      };
    },
  },
  {
    name: 'panel-mask',
    description: 'The second panel says which cells of the first one stay.',
    smallest: 5,
    rule: (draw) => {
      const [divider, mask, ...others] = draw.colors(Math.max(4, draw.knobs.colors));
      const across = draw.rng.chance(0.5);
      return () => {
        const [height, width] = panelShape(draw, across);
        const picture = draw.noise(height, width, 1, others);
        const stencil = draw.noise(height, width, 0.5, [mask!]);
        const output = mapGrid(picture, (color, r, c) => (stencil[r]![c] === 0 ? 0 : color));
        return { input: joinPanels([picture, stencil], divider!, across), output };
      };
    },
  },
  {
    name: 'odd-panel-out',
    description: 'Of three panels two are equal; answer with the other one.',
    smallest: 5,
    rule: (draw) => {
      const [divider, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      const across = draw.rng.chance(0.5);
      return () => {
        const along = draw.side(1, Math.floor((draw.knobs.maxSize - 2) / 3));
        const other = draw.side(2, 5);
        const [height, width] = across ? [other, along] : [along, other];
        const [same, odd] = [draw.noise(height, width, 0.6, others), draw.noise(height, width, 0.6, others)];
        if (gridsEqual(same, odd)) return null;
        const panels = draw.rng.shuffle([same, same, odd]);
        return { input: joinPanels(panels, divider!, across), output: odd, uses: [panels.indexOf(odd)] };
      };
    },
  },
  {
    name: 'fold',
    description:
      'Fold the right half over the left one: a cell stays coloured if either half had it coloured.',
    smallest: 4,
    rule: (draw) => {
      const own = draw.color();
      return () => {
        const height = draw.side(2);
        const width = draw.side(2, Math.floor(draw.knobs.maxSize / 2));
        const [left, right] = [draw.noise(height, width, 0.3, [own]), draw.noise(height, width, 0.3, [own])];
        const output = mapGrid(left, (color, r, c) => color || right[r]![c]!);
        return { input: joinColumns(left, flipLeftRight(right)), output };
      };
    },
  },
]);
