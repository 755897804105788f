import { expect, test } from 'vitest';
import { compareRuns } from '../../src/writeup/check.js';
import type { NotebookJson, OutputJson } from '../../src/writeup/notebook-json.js';

function notebook(...outputs: OutputJson[][]): NotebookJson {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: outputs.map((cell, i) => ({
      cell_type: 'code',
      id: `c${i}`,
      metadata: {},
      source: '',
      execution_count: 1,
      outputs: cell,
    })),
  };
}
const stderr = (text: string): OutputJson => ({ output_type: 'stream', name: 'stderr', text });
const stdout = (text: string): OutputJson => ({ output_type: 'stream', name: 'stdout', text });
const html = (text: string): OutputJson => ({
  output_type: 'display_data',
  metadata: {},
  data: { 'text/html': text },
});

test('the same numbers are the same run, whatever the time', () => {
  const recorded = notebook([stdout('accuracy: 5.4% in 12.3 s at 1,200 tokens/s on 2024-09-03\n')]);
  const rerun = notebook([stdout('accuracy: 5.4% in 9 s at 900 tokens/s on 2026-01-01\n')]);
  expect(compareRuns(recorded, rerun)).toEqual({ numbers: 1, missing: 0, ignored: 3, changes: [] });
});

test('a number that moved by more than the tolerance is reported with its line', () => {
  const recorded = notebook([stdout('a\n')], [stdout('loss 0.500 of 3 runs\nloss 2.0\n')]);
  const rerun = notebook([stdout('a\n')], [stdout('loss 0.505 of 3 runs\nloss 4.0\n')]);
  expect(compareRuns(recorded, rerun, { tolerance: 0.02 }).changes).toEqual([
    { cell: 2, recorded: 'loss 2.0', now: 'loss 4.0', difference: 0.5 },
  ]);
  expect(compareRuns(recorded, rerun).changes).toHaveLength(2);
});

test('other words, lines that are gone and lines that are new are changes', () => {
  const recorded = notebook([stdout('identical\nall 3\n')]);
  const rerun = notebook([stdout('different: 2 tasks\n')]);
  expect(compareRuns(recorded, rerun).changes).toEqual([
    { cell: 1, recorded: 'identical', now: 'different: 2 tasks' },
    { cell: 1, recorded: 'all 3', now: '' },
  ]);
});

test('tables and plots are compared by their numbers', () => {
  const table = (x: string) => html(`<table><tr><th>n</th></tr><tr><td>1</td><td>${x}</td></tr></table>`);
  const plot = (y: number): OutputJson => ({
    output_type: 'display_data',
    metadata: {},
    data: { 'application/vnd.vegalite.v5+json': { data: { values: [{ x: 1, y }] } }, 'text/plain': 'plot' },
  });
  const result = compareRuns(notebook([table('0.1'), plot(3)]), notebook([table('0.2'), plot(4)]));
  expect(result.numbers).toBe(4);
  expect(result.changes.map(({ recorded, now }) => [recorded, now])).toEqual([
    ['1  0.1', '1  0.2'],
    ['{"x":1,"y":3}', '{"x":1,"y":4}'],
  ]);
});

test('what is written in a drawing is compared', () => {
  const drawing = (y: string): OutputJson => ({
    output_type: 'display_data',
    metadata: {},
    data: { 'image/svg+xml': `<svg viewBox="0 0 9 9"><text x="1">loss</text> <text x="2">${y}</text></svg>` },
  });
  const { numbers, changes } = compareRuns(notebook([drawing('0.1')]), notebook([drawing('0.2')]));
  expect(numbers).toBe(1);
  expect(changes).toMatchObject([{ recorded: 'loss 0.1', now: 'loss 0.2', difference: 0.5 }]);
});

test('what fine-tuning logs on the standard error is compared, wherever it stands among the other lines', () => {
  const log = (loss: string, speed: number) =>
    stderr(
      `step 1/2 loss ${loss} lr 1.00e-4 ${speed} tok/s eta 1h07m\nstep 2/2 loss 0.5 lr 0.00e+0 9 tok/s eta ?\n`,
    );
  const recorded = notebook([log('0.7512', 800), stdout('models/checkpoint-2\n')]);
  expect(compareRuns(recorded, notebook([stdout('models/checkpoint-2\n'), log('0.7512', 123)]))).toEqual({
    numbers: 9,
    missing: 0,
    ignored: 4,
    changes: [],
  });
  const { changes } = compareRuns(recorded, notebook([log('0.9512', 800), stdout('models/checkpoint-2\n')]));
  expect(changes).toHaveLength(1);
  expect(changes[0]!.recorded).toContain('loss 0.7512');
});

test('a number that was recorded and has no counterpart counts as changed', () => {
  const { numbers, missing, changes } = compareRuns(
    notebook([stdout('loss 0.5\naccuracy 0.25\nsize 3\n')]),
    notebook([stdout('loss 0.5\nsize 3\n')]),
  );
  expect([numbers, missing]).toEqual([2, 1]);
  expect(changes).toEqual([{ cell: 1, recorded: 'accuracy 0.25', now: '' }]);
});

test('a line that is new in the middle does not hide the numbers after it', () => {
  const { numbers, changes } = compareRuns(
    notebook([stdout('loss 0.5\nacc 0.1\n')]),
    notebook([stdout('warning: slow\nloss 0.5\nacc 0.2\n')]),
  );
  expect(numbers).toBe(2);
  expect(changes).toMatchObject([
    { recorded: '', now: 'warning: slow' },
    { recorded: 'acc 0.1', now: 'acc 0.2', difference: 0.5 },
  ]);
});

test('a picture of the same words in other colours is a change, and so is another photograph', () => {
  const grid = (color: string) => html(`<svg><rect fill="${color}"/></svg>`);
  const photo = (data: string): OutputJson => ({
    output_type: 'display_data',
    metadata: {},
    data: { 'image/png': data, 'text/plain': '<Figure>' },
  });
  expect(
    compareRuns(notebook([grid('red'), photo('AA')]), notebook([grid('red'), photo('AA')])).changes,
  ).toEqual([]);
  expect(
    compareRuns(notebook([grid('red'), photo('AA')]), notebook([grid('blue'), photo('AB')])).changes,
  ).toHaveLength(2);
});

test('what a cell shows that is never executed is not a result of the rerun', () => {
  const recorded = notebook([stdout('accuracy 0.5\n')]);
  const rerun = structuredClone(recorded);
  rerun.cells[0]!.metadata.tags = ['skip-execution'];
  expect(compareRuns(recorded, rerun)).toMatchObject({ numbers: 0, missing: 1 });
});
