import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../src/arc/types.js';
import { gridSvg } from '../../src/display/grid-svg.js';
import { ARC_PALETTE } from '../../src/display/palette.js';
import { gridsSvg, judge, predictionsSvg, taskSvg } from '../../src/display/task-svg.js';
import { assertWellFormed, paint } from './xml.js';

const grids = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }))
  .chain(([height, width]) =>
    fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: width, maxLength: width }), {
      minLength: height,
      maxLength: height,
    }),
  );

describe('a grid as SVG', () => {
  test('shows exactly the colours of the grid', () => {
    fc.assert(
      fc.property(grids, (grid) => {
        const svg = gridSvg(grid);
        assertWellFormed(svg);
        expect(paint(svg, grid.length, grid[0]!.length)).toEqual(grid);
      }),
      { numRuns: 60 },
    );
  });

  test('has the official palette', () => {
    expect(ARC_PALETTE.join()).toBe(
      '#000000,#0074D9,#FF4136,#2ECC40,#FFDC00,#AAAAAA,#F012BE,#FF851B,#7FDBFF,#870C25',
    );
  });

  test('is scalable, has a title, and is compact', () => {
    const empty: Grid = Array.from({ length: 30 }, () => new Array(30).fill(0));
    const svg = gridSvg(empty, { title: 'a < b & "c"' });
    expect(svg).toMatch(/viewBox="0 0 \d+ \d+"/);
    expect(svg).toContain('<title>a &lt; b &amp; &quot;c&quot;</title>');
    expect(svg.length).toBeLessThan(1500);
    expect(gridSvg([[1, 2, 3]])).toContain('<title>1×3 grid</title>');
  });

  test('marks the cells that differ, and only those', () => {
    const grid = [
      [1, 2],
      [3, 4],
    ];
    const marks = (reference: Grid) =>
      /<g class="differences"><path d="([^"]*)"/.exec(gridSvg(grid, { reference }))?.[1];
    expect(marks([[1, 0], [3, 9]])).toBe('M1.5 0.5h0M1.5 1.5h0'); // biome-ignore format: short
    expect(marks(grid)).toBeUndefined();
    // of another size there is nothing to compare cell by cell
    expect(marks([[1, 2]])).toBeUndefined();
  });

  test('a mark is at least two pixels wide, and never wider than its cell', () => {
    for (const cellSize of [4, 6, 10, 20]) {
      const svg = gridSvg([[1]], { reference: [[2]], cellSize });
      const marks = /<g class="differences">.*?<\/g>/.exec(svg)![0];
      const [outer, inner] = [...marks.matchAll(/stroke-width="([\d.]+)"/g)].map(([, width]) =>
        Number(width),
      );
      expect(inner! * cellSize).toBeGreaterThanOrEqual(2);
      expect(outer!).toBeGreaterThan(inner!);
      expect(outer!).toBeLessThan(0.8);
    }
  });
});

describe('tasks and predictions as SVG', () => {
  const solution = [[1, 2, 3, 4]];
  const input = [[5]];

  test('are well-formed, with all their grids', () => {
    const task = { train: [{ input, output: solution }], test: [{ input }, { input, output: solution }] };
    const svg = taskSvg(task, { title: 'T & co' });
    assertWellFormed(svg);
    expect(svg.match(/<g shape-rendering/g)).toHaveLength(5);
    expect(svg).toContain('>?</text>');
    assertWellFormed(gridsSvg([{ grid: input, label: 'generated' }, { grid: solution }]));
  });

  test('say how many votes and how right', () => {
    const svg = predictionsSvg({
      input,
      solution,
      candidates: [
        { grid: solution, votes: 5, meanLogProb: -1 },
        { grid: [[1, 2, 3, 0]], votes: 1, meanLogProb: -2 },
        { grid: input, votes: 1, meanLogProb: -3 },
      ],
      unanswered: 2,
    });
    assertWellFormed(svg);
    for (const text of ['5 votes', '1 vote', '✓ right', '✗ 75% of cells', '✗ wrong size', '2 unanswered']) {
      expect(svg).toContain(`>${text}</text>`);
    }
    assertWellFormed(predictionsSvg({ input, candidates: [] }));
  });

  test('almost right is never shown as 100%', () => {
    const big: Grid = Array.from({ length: 30 }, () => new Array(30).fill(1));
    const nearly = big.with(0, [0, ...big[0]!.slice(1)]);
    expect(judge(nearly, big).text).toBe('✗ 99% of cells');
  });
});
