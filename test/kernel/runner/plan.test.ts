import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Output } from '../../../kernel/notebook/index.js';
import { parseCellRange, planCells } from '../../../kernel/runner/plan.js';
import { UserError } from '../../../src/common/errors.js';
import { type CellSource, documentAt, scratchFolder, writeNotebook } from './notebooks.js';

const folder = scratchFolder();
const notebook = (...cells: CellSource[]) => documentAt(writeNotebook(join(folder, 'a.ipynb'), 'x', cells));
const stream = { output_type: 'stream', name: 'stdout', text: 'old' } as const;
const error: Output = { output_type: 'error', ename: 'E', evalue: '', traceback: [] };

describe('--cells', () => {
  it.each([
    ['3', 3, 3],
    ['3-7', 3, 7],
    ['3-', 3, Infinity],
  ])('%s', (text, first, last) => {
    expect(parseCellRange(text)).toEqual({ first, last });
  });

  it.each(['0', '7-3', '', 'a', '-3', '1-2-3'])('%j is refused', (text) => {
    expect(() => parseCellRange(text)).toThrow(UserError);
    expect(() => parseCellRange(text)).toThrow('expected cells counted from 1');
  });

  it('counts the cells of the notebook that the person sees', () => {
    const cells = notebook('a', 'b', ' \n', { source: 'c', tags: ['skip-execution'] }, 'd');
    const numbers = (first: number, last: number, injection?: { index: number; isNew: boolean }) =>
      planCells(cells, { range: { first, last }, ...(injection && { injection }) }).map(
        ({ number }) => number,
      );
    expect(numbers(2, 5)).toEqual([2, 5]);
    expect(numbers(5, Infinity)).toEqual([5]);
    // the cell at index 1 is new: the person knows four
    expect(numbers(2, 4, { index: 1, isNew: true })).toEqual([0, 4]);
    expect(numbers(5, 5, { index: 1, isNew: false })).toEqual([2, 5]);
    expect(() => numbers(2, 6)).toThrow('--cells: the notebook has 5 cells, found 2-6');
    expect(() => numbers(6, 6)).toThrow(/found 6$/);
    expect(() => numbers(6, Infinity)).toThrow('the notebook has 5 cells');
  });
});

describe('--resume', () => {
  const plan = (
    now: ReturnType<typeof notebook>,
    earlier: ReturnType<typeof notebook>,
    allowErrors = false,
  ) => planCells(now, { earlier, allowErrors }).map(({ number, action }) => `${action} ${number}`);

  it('rebuilds what has finished, with the outputs that it had, and runs the rest', () => {
    const earlier = notebook('a', 'b', 'c', 'd');
    earlier.setRun(0, { outputs: [stream], executionCount: 1 });
    earlier.setRun(1, { outputs: [], executionCount: 2 });
    earlier.setRun(2, { outputs: [stream, error], executionCount: 3 });
    earlier.setRun(3, { outputs: [], executionCount: 4 });
    const now = notebook('a', 'b', 'c mended', 'd');
    expect(plan(now, earlier)).toEqual(['rebuild 1', 'rebuild 2', 'run 3', 'run 4']);
    expect(now.cells[0]).toMatchObject({ outputs: [stream], executionCount: 1 });
    expect(plan(notebook('a edited', 'b', 'c', 'd'), earlier)).toEqual(['run 1', 'run 2', 'run 3', 'run 4']);
    expect(plan(notebook('a', 'b', 'c', 'd'), earlier, true)[3]).toBe('rebuild 4');
  });

  it('leaves out what is tagged skip-on-resume and has finished', () => {
    const cells: CellSource[] = [
      { source: 'a', tags: ['skip-on-resume'] },
      { source: 'b', tags: ['skip-on-resume'] },
    ];
    const earlier = notebook(...cells);
    earlier.setRun(0, { outputs: [stream], executionCount: 1 });
    const now = notebook(...cells);
    expect(plan(now, earlier)).toEqual(['run 2']);
    expect(now.cells[0]!.outputs).toEqual([stream]);
  });
});
