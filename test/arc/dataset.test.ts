import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDataset, loadTasks, nMinusOne, requireSolutions, saveDataset } from '../../src/arc/dataset.js';
import { DatasetError, MissingSolutionsError } from '../../src/arc/errors.js';
import { generateTasks } from '../../src/arc/generate.js';
import type { Task } from '../../src/arc/types.js';
import { UserError } from '../../src/common/errors.js';
import { tasks } from './arbitraries.js';

const a = [[1, 0]];
const b = [[2], [3]];
const c = [
  [4, 4],
  [4, 4],
];
const sample = { input: a, output: b };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-dataset-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function errorOf(run: () => unknown): UserError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error('expected an error');
}

describe('loadDataset', () => {
  it("finds the solutions beside Kaggle's challenges", () => {
    const path = write('arc-agi_evaluation_challenges.json', {
      x: { train: [sample], test: [{ input: a }, { input: c }] },
    });
    expect(loadDataset(path).get('x')![0]!.test).toEqual([{ input: a }, { input: c }]);
    write('arc-agi_evaluation_solutions.json', { x: [b, a], unrelated: [c] });
    const [task] = loadDataset(path).get('x')!;
    expect(task!.test).toEqual([
      { input: a, output: b },
      { input: c, output: a },
    ]);
    expect(task!.train).toEqual([sample]);
  });

  it('reads outputs that are included', () => {
    const path = write('included.json', { x: { train: [sample], test: [sample] } });
    expect(loadTasks(path).get('x')!.test).toEqual([sample]);
  });

  it('reads samples without a test set, and variants', () => {
    const samples = [sample, { input: c, output: a }];
    const first = { train: [sample], test: [sample] };
    const second = { train: samples, test: [{ input: b }] };
    const path = write('mixed.json', { re: samples, variants: [first, second] });
    expect([...loadDataset(path)]).toEqual([
      ['re', [{ train: samples, test: [] }]],
      ['variants', [first, second]],
    ]);
    expect(errorOf(() => loadTasks(path)).message).toContain('mixed.json');
  });

  it('reads a file about one task, and a folder of them', () => {
    mkdirSync(join(folder, 'many'));
    write('many/007.json', { train: [sample], test: [sample] });
    write('many/re.json', [sample, { input: c, output: a }]);
    expect([...loadDataset(join(folder, 'many')).keys()]).toEqual(['007', 're']);
    expect([...loadDataset(join(folder, 'many/re.json')).keys()]).toEqual(['re']);
    write('many/untested.json', { train: [sample, sample] });
    expect(loadDataset(join(folder, 'many')).get('untested')).toEqual([
      { train: [sample, sample], test: [] },
    ]);
    mkdirSync(join(folder, 'none'));
    expect(() => loadDataset(join(folder, 'none'))).toThrow(DatasetError);
  });

  it.each([
    ['no file', undefined, ['no such file']],
    ['not JSON', '{"x": [', ['not valid JSON']],
    ['words', 'these are\nno tasks\n', ['not valid JSON', 'these are no tasks']],
    ['a number', '3', ['must be object', 'found 3']],
    ['nothing in it', {}, ['at the top level: must not be empty']],
    ['a list of grids', { x: [a, b] }, ['/x/0', 'must be object']],
    ['no train', { x: { test: [] } }, ['at /x', "'train'"]],
    ['no train samples', { x: { train: [], test: [] } }, ['/x/train: must have at least 1 item, found []']],
    ['no output', { x: { train: [{ input: a }], test: [] } }, ['/x/train/0', "'output'"]],
    ['a string', { x: { train: [{ input: 'no', output: a }], test: [] } }, ['/x/train/0/input', '"no"']],
    [
      'colour 10',
      { x: { train: [sample], test: [{ input: [[1, 10]] }] } },
      ['/x/test/0/input/0/1', '10', '9'],
    ],
    [
      'half a colour',
      { x: { train: [{ input: [[0.5]], output: a }], test: [] } },
      ['/x/train/0/input/0/0', 'integer'],
    ],
    [
      'no rows',
      { x: { train: [{ input: [], output: a }], test: [] } },
      ['/x/train/0/input: must have at least 1 item'],
    ],
    [
      'no cells',
      { x: { train: [{ input: [[]], output: a }], test: [] } },
      ['/x/train/0/input/0: must have at least 1 item'],
    ],
    [
      '31 rows',
      { x: { train: [{ input: Array(31).fill([1]), output: a }], test: [] } },
      ['/x/train/0/input: must have at most 30 items, found 31 items: [[1],'],
    ],
    [
      'ragged',
      { x: { train: [sample, { input: [[1, 2], [3]], output: a }], test: [] } },
      ['ragged', '/x/train/1/input', 'row 0 has 2 cells but row 1 has 1'],
    ],
    [
      'ragged variant',
      { x: [{ train: [sample], test: [{ input: a, output: [[1], [2, 3]] }] }] },
      ['ragged', '/x/0/test/0/output'],
    ],
    ['ragged samples', { x: [sample, { input: a, output: [[1], [2, 3]] }] }, ['ragged', '/x/1/output']],
    ['one sample alone', { x: [sample] }, ['/x: must have at least 2 items']],
    ['a submission', { x: [{ attempt_1: a, attempt_2: b }] }, ['/x/0', "'input'"]],
  ])('says what is wrong: %s', (name, content, words) => {
    const path = content === undefined ? join(folder, 'absent.json') : write(`${name}.json`, content);
    const { message } = errorOf(() => loadDataset(path));
    expect(message).not.toContain('\n');
    for (const word of [path, ...words]) expect(message).toContain(word);
  });

  it('says what is wrong with solutions', () => {
    const path = write('wrong_challenges.json', { x: { train: [sample], test: [{ input: a }] } });
    const solutions = write('wrong_solutions.json', { x: [a, b] });
    expect(errorOf(() => loadDataset(path)).message).toContain(`${solutions}: at /x: expected 1 solution,`);
    expect(errorOf(() => loadDataset(solutions)).message).toContain('wrong_challenges.json');
    write('wrong_solutions.json', { x: [[[1, 2], [3]]] });
    expect(errorOf(() => loadDataset(path)).message).toMatch(/wrong_solutions\.json: ragged grid at \/x\/0/);
    write('wrong_solutions.json', { x: [[[1, 'a']]] });
    expect(errorOf(() => loadDataset(path)).message).toContain('/x/0/0/1');
  });
});

describe('requireSolutions', () => {
  it('names the task, the test input and where the solutions were looked for', () => {
    const path = write('hidden_challenges.json', {
      ok: { train: [sample], test: [sample] },
      x: { train: [sample], test: [sample, { input: a }] },
    });
    const error = errorOf(() => requireSolutions(loadDataset(path), path));
    expect(error).toBeInstanceOf(MissingSolutionsError);
    expect(error.message).toContain('test input 1 of task x');
    expect(error.message).toContain(join(folder, 'hidden_solutions.json'));
    requireSolutions(new Map([['re', [{ train: [sample, sample], test: [] }]]]), path);
  });
});

describe('saveDataset', () => {
  it('writes what loadDataset reads back equal', () => {
    const path = join(folder, 'saved.json');
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.stringMatching(/^[0-9a-f]{1,8}$/),
          fc.array(tasks(4), { minLength: 1, maxLength: 2 }),
          {
            minKeys: 1,
            maxKeys: 3,
          },
        ),
        (entries) => {
          const dataset = new Map<string, Task[]>(Object.entries(entries));
          saveDataset(path, dataset);
          expect(loadDataset(path)).toEqual(dataset);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('writes challenges and solutions apart', () => {
    const path = join(folder, 'new', 'made_challenges.json');
    const dataset = generateTasks({ count: 5, seed: 1, maxSize: 5 });
    saveDataset(path, dataset);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(6);
    for (const task of Object.values(JSON.parse(readFileSync(path, 'utf8'))) as Task[]) {
      for (const { output } of task.test) expect(output).toBeUndefined();
    }
    expect(loadDataset(path)).toEqual(dataset);
    expect(() => saveDataset(path, nMinusOne(dataset))).toThrow(DatasetError);
    expect(loadDataset(path)).toEqual(dataset);
  });

  it('says that a file cannot be written', () => {
    write('file', 'x');
    const path = join(folder, 'file', 'tasks.json');
    expect(errorOf(() => saveDataset(path, generateTasks({ count: 1, seed: 1 }))).message).toContain(path);
  });
});

describe('nMinusOne', () => {
  it('leaves each train sample out once and never shows the test', () => {
    const samples = [a, b, c].map((input) => ({ input, output: input }));
    const secret = { input: [[9]], output: [[9]] };
    const dataset = new Map<string, Task[]>([
      ['x', [{ train: samples, test: [secret] }]],
      ['single', [{ train: [sample], test: [secret] }]],
    ]);
    const left = nMinusOne(dataset);
    expect([...left.keys()]).toEqual(['x']);
    expect(left.get('x')).toEqual([
      { train: [samples[1], samples[2]], test: [samples[0]] },
      { train: [samples[0], samples[2]], test: [samples[1]] },
      { train: [samples[0], samples[1]], test: [samples[2]] },
    ]);
  });
});
