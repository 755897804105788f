/**
 * Attempts that need no model: what simple rules say, those first that explain a task's train samples best.
 * They stand in a submission until a prediction takes their place.
 */
import {
  colorCount,
  cropGrid,
  filledGrid,
  gridKey,
  maxGridSide,
  recolorGrid,
  turnGrid,
  upscaleGrid,
} from '../arc/grid.js';
import type { Grid, Sample, Task } from '../arc/types.js';
import { scoreGrid } from './grids.js';
import { mean } from './metrics.js';

/** Makes an output from an input and what the samples show; null where the rule does not apply. */
type Rule = (input: Grid, samples: readonly Sample[]) => Grid | null;

const turns: Rule[] = Array.from({ length: 8 }, (_, i) => (input: Grid) => turnGrid(input, i >= 4, i % 4));

/** Applies to the output of a rule the colour map that the samples agree on; unseen colours stay. */
const recolored =
  (rule: Rule): Rule =>
  (input, samples) => {
    const colorMap = Array.from({ length: colorCount }, (_, color) => color);
    const seen = new Set<number>();
    for (const { input: from, output } of samples) {
      const turned = rule(from, samples);
      if (turned === null || !scoreGrid(turned, output).sameSize) return null;
      for (const [y, row] of turned.entries()) {
        for (const [x, color] of row.entries()) {
          const to = output[y]![x]!;
          if (seen.has(color) && colorMap[color] !== to) return null;
          seen.add(color);
          colorMap[color] = to;
        }
      }
    }
    const result = rule(input, samples);
    return result && recolorGrid(result, colorMap);
  };

/** The whole factors from inputs to outputs that all samples agree on. */
function scale(samples: readonly Sample[]): [rows: number, columns: number] | null {
  const factors = samples.map(({ input, output }) => [
    output.length / input.length,
    output[0]!.length / input[0]!.length,
  ]);
  const [first] = factors;
  const agreed = first && factors.every((pair) => pair.join() === first.join());
  return agreed && first.every((factor) => Number.isInteger(factor)) ? [first[0]!, first[1]!] : null;
}

const fits = ([rows, columns]: readonly number[], input: Grid) =>
  rows! * input.length <= maxGridSide && columns! * input[0]!.length <= maxGridSide;

const upscaled: Rule = (input, samples) => {
  const factors = scale(samples);
  return factors && fits(factors, input) ? upscaleGrid(input, ...factors) : null;
};

const tiled: Rule = (input, samples) => {
  const factors = scale(samples);
  if (!factors || !fits(factors, input)) return null;
  const [height, width] = [input.length, input[0]!.length];
  return filledGrid(height * factors[0], width * factors[1]).map((row, y) =>
    row.map((_, x) => input[y % height]![x % width]!),
  );
};

/** What is not of the most frequent colour, cut out. */
const cropped: Rule = (input) => {
  const background = mostFrequent(input.flat());
  const rows = input.flatMap((row, y) => (row.some((color) => color !== background) ? [y] : []));
  const columns = input[0]!.flatMap((_, x) => (input.some((row) => row[x] !== background) ? [x] : []));
  if (rows.length === 0) return null;
  const [top, left] = [rows[0]!, columns[0]!];
  return cropGrid(input, { top, left, height: rows.at(-1)! - top + 1, width: columns.at(-1)! - left + 1 });
};

/** The colour that each cell most often has in the outputs, when these are all of one size. */
const usualOutput: Rule = (_, samples) => {
  const outputs = samples.map(({ output }) => output);
  const first = outputs[0];
  if (!first || outputs.some((output) => !scoreGrid(output, first).sameSize)) return null;
  return first.map((row, y) => row.map((_, x) => mostFrequent(outputs.map((output) => output[y]![x]!))));
};

/** The first among equals. */
function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

const rules: readonly Rule[] = [
  ...turns,
  ...turns.map(recolored),
  upscaled,
  tiled,
  cropped,
  recolored(cropped),
  usualOutput,
];

/** How well a rule gives each train sample's output from what the others show: exact ones, then cells. */
function explains(rule: Rule, train: readonly Sample[]): [exact: number, pixels: number] {
  const scores = train.map(({ input, output }, i) => {
    const others = train.length > 1 ? train.toSpliced(i, 1) : train;
    return scoreGrid(rule(input, others), output);
  });
  return [mean(scores.map(({ exact }) => Number(exact))), mean(scores.map((score) => score.correctPixels))];
}

/**
 * Different attempts at a test input that need no model, the most plausible first: the outputs of simple rules
 * (the eight symmetries, with a colour map or without; upscaling, tiling, cropping to the content; the usual
 * output), ranked by how well they explain the train samples. The first rule is "nothing changes", so that
 * among rules that explain nothing the input itself comes first.
 */
export function fallbackAttempts({ train, test }: Task, testIndex: number, n = 2): Grid[] {
  const { input } = test[testIndex]!;
  const ranked = rules
    .map((rule) => ({ rule, score: explains(rule, train) }))
    .sort((a, b) => b.score[0] - a.score[0] || b.score[1] - a.score[1]);
  const different = new Map<string, Grid>();
  for (const { rule } of ranked) {
    const grid = rule(input, train);
    if (grid !== null && !different.has(gridKey(grid))) different.set(gridKey(grid), grid);
  }
  return [...different.values()].slice(0, n);
}
