/** Code of tasks and candidates for outputs: in files, under augmentations, and wrong outputs that are made. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  augmentGrid,
  augmentTask,
  drawAugmentation,
  swapTrainAndTest,
  undoTaskAugmentation,
} from '../../src/arc/augmentation.js';
import { leaveOneOut, loadDataset, requireCode, saveDataset } from '../../src/arc/dataset.js';
import { gridKey } from '../../src/arc/grid.js';
import { wrongOutputs } from '../../src/arc/perturb.js';
import { applyTaskAugmentation, drawTaskAugmentation } from '../../src/arc/task-augmentation.js';
import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { grids, rngs, tasks } from './arbitraries.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-candidates-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const task: Task = {
  train: [
    { input: [[1, 2]], output: [[2, 1]] },
    { input: [[3, 4]], output: [[4, 3]] },
  ],
  test: [{ input: [[5, 6]], output: [[6, 5]], candidates: [[[6, 6]], [[6, 5]]] }],
  code: 'reverse',
};

describe('in files', () => {
  it.each(['plain.json', 'pair_challenges.json'])('they are kept: %s', (name) => {
    const path = join(folder, name);
    saveDataset(path, new Map([['a', [task]]]));
    expect(loadDataset(path).get('a')).toEqual([task]);
  });

  it('they are kept of a task without test samples', () => {
    const path = join(folder, 'examples.json');
    const examples = { train: task.train, test: [], code: 'x' };
    saveDataset(path, new Map([['a', [examples]]]));
    expect(loadDataset(path).get('a')).toEqual([examples]);
  });

  it.each([
    [{ ...task, code: 7 }, 'at /a/code: must be string, found 7'],
    [{ ...task, code: '' }, 'at /a/code'],
    [
      { ...task, test: [{ input: [[1]], candidates: [[[1], [1, 2]]] }] },
      'ragged grid at /a/test/0/candidates/0',
    ],
    [
      { ...task, test: [{ input: [[1]], candidates: [[[11]]] }] },
      'at /a/test/0/candidates/0/0/0: must be at most 9',
    ],
  ])('what is none is refused: %#', (entry, message) => {
    const path = join(folder, 'wrong.json');
    writeFileSync(path, JSON.stringify({ a: entry }));
    expect(() => loadDataset(path)).toThrow(message);
  });

  it('a data set without code says so', () => {
    const without = { train: task.train, test: task.test };
    expect(() =>
      requireCode(
        new Map([
          ['a', [task]],
          ['b', [without]],
        ]),
        'file.json',
      ),
    ).toThrow('file.json: task b has no code');
  });
});

describe('under an augmentation', () => {
  it('candidates change as outputs do, and code stays only where no grid changes', () => {
    fc.assert(
      fc.property(tasks(), rngs, (plain, rng) => {
        const judged: Task = {
          ...plain,
          test: plain.test.map((sample) =>
            sample.output ? { ...sample, candidates: [sample.output] } : sample,
          ),
          code: 'code',
        };
        const view = drawAugmentation(rng, { trainSamples: plain.train.length });
        const changed = augmentTask(judged, view);
        for (const { output, candidates } of changed.test) expect(candidates).toEqual(output && [output]);
        const same =
          JSON.stringify(changed.train.map(({ input }) => input)) ===
          JSON.stringify((view.trainOrder ?? []).map((i) => plain.train[i]!.input));
        if (changed.code !== undefined) expect(same).toBe(true);
        expect({ ...undoTaskAugmentation(changed, view), code: 'code' }).toEqual(judged);
        const ordered = drawAugmentation(rng, {
          geometricAugmentation: false,
          colorAugmentation: false,
          trainSamples: plain.train.length,
        });
        expect(augmentTask(judged, ordered).code).toBe('code');
      }),
    );
  });

  it('a flip changes both, and loses the code', () => {
    const flip = { flip: true, rotations: 0, colorMap: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] };
    const changed = augmentTask(task, flip);
    expect(changed.test[0]!.candidates).toEqual(
      task.test[0]!.candidates!.map((grid) => augmentGrid(grid, flip)),
    );
    expect(changed).not.toHaveProperty('code');
  });

  it('another task has no code, and its candidates are changed with its outputs', () => {
    for (let seed = 0; seed < 200; seed++) {
      const change = drawTaskAugmentation(Rng.of(seed), { counts: [0, 1, 1] });
      const changed = applyTaskAugmentation(task, change);
      if (changed === task) continue;
      expect(changed).not.toHaveProperty('code');
      expect(changed.test[0]!.candidates![1]).toEqual(changed.test[0]!.output);
    }
  });

  it('other samples in the place of the test sample keep the code', () => {
    expect(swapTrainAndTest(task, Rng.of(1)).code).toBe('reverse');
    expect(leaveOneOut(task).map(({ code }) => code)).toEqual(['reverse', 'reverse']);
  });
});

describe('wrong outputs', () => {
  it('are different grids and never the right one, the same for a seed', () => {
    fc.assert(
      fc.property(
        tasks(),
        grids(),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        (plain, output, count, seed) => {
          const wrong = wrongOutputs(output, plain, count, Rng.of(seed));
          expect(new Set([output, ...wrong].map(gridKey)).size).toBe(count + 1);
          expect(wrongOutputs(output, plain, count, Rng.of(seed))).toEqual(wrong);
          for (const grid of wrong) {
            expect(grid.length).toBeLessThanOrEqual(30);
            for (const row of grid) expect(row).toHaveLength(grid[0]!.length);
          }
        },
      ),
    );
  });
});
