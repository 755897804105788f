/** Data sets of others: the rows are written by hand as their papers and cards describe them. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { loadDataset } from '../../src/arc/dataset.js';
import type { Grid } from '../../src/arc/types.js';
import { main } from '../../src/cli/main.js';
import { type ImportTasksOptions, importTasks } from '../../src/tools/import-tasks.js';
import { catchPrinted } from '../cli/printed.js';
import { prediction } from '../evaluation/example.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const lines = (name: string, ...rows: unknown[]) =>
  write(name, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
const outputPath = join(folder, 'out.json');
const run = (format: ImportTasksOptions['format'], inputPath: string, more: object = {}) =>
  importTasks({ format, inputPath, outputPath, ...more });
const imported = () => Object.fromEntries(loadDataset(outputPath));

const source = `from common import *

# concepts:
# reflection

def main(input_grid):
    return input_grid[::-1]

def generate_input():
    return np.zeros((2, 2))
`;
const grids: Grid[] = [
  [[1], [2]],
  [[2], [1]],
  [[3], [4]],
  [[4], [3]],
];
const barcRow = {
  source,
  examples: [
    [grids[0], grids[1]],
    [grids[2], grids[3]],
  ],
  seeds: ['a', 'b'],
};

test('BARC: a program and its samples, one task a row', async () => {
  const file = lines('barc.jsonl', barcRow, '', { ...barcRow, source: 'other' });
  const result = await run('barc', file);
  expect(result).toEqual({ tasks: 2, variants: 2, skipped: 0, files: [outputPath] });
  expect(imported()).toEqual({
    'barc-000001': [
      {
        train: [
          { input: grids[0], output: grids[1] },
          { input: grids[2], output: grids[3] },
        ],
        test: [],
        code: source.slice(0, source.indexOf('def generate_input')).trimEnd(),
      },
    ],
    'barc-000003': [expect.objectContaining({ code: 'other' })],
  });
  expect(await run('barc', file, { nTasks: 1 })).toMatchObject({ tasks: 1 });
});

const asked = `Given input-output grid pairs as reference examples, carefully observe the patterns to predict the output grid for new test input. Each pair follows the same transformation rule. Grids are 2D arrays represented as strings, with cells (colors) separated by spaces and rows by newlines.
Here are the input and output grids for the reference examples:
Example 1
Input:
Black Blue
Red Green

Output:
Red Green
Black Blue

Example 2
Input:
Yellow Gray Pink

Output:
Orange Purple Brown


Here is the input grid for the test example:
Input:
Teal Maroon
`;
const conversation = (answer: string) => ({
  messages: [
    { role: 'system', content: 'You are a world-class puzzle solver.' },
    { role: 'user', content: asked },
    { role: 'assistant', content: answer },
  ],
});
const examples = [
  {
    input: [
      [0, 1],
      [2, 3],
    ],
    output: [
      [2, 3],
      [0, 1],
    ],
  },
  { input: [[4, 5, 6]], output: [[7, 8, 9]] },
];

test('BARC: examples that are no grids of ARC are left out, and the program is its rule', async () => {
  const wide = [Array.from({ length: 31 }, () => 0)];
  const examples = [[wide, grids[0]], ...barcRow.examples, [grids[0], wide[0]!.map(() => [1])]];
  const code = 'import numpy as np\n\ndef main(input_grid):\n    return input_grid';
  const whole = `${code}\n\n\ndef generate_input():\n    return np.zeros((2, 2))\n\nif __name__ == "__main__":\n    main(1)\n`;
  await run('barc', lines('wide.jsonl', { source: whole, examples }));
  expect(imported()['barc-000001']).toEqual([
    expect.objectContaining({ code, train: [expect.anything(), { input: grids[2], output: grids[3] }] }),
  ]);
  const few = lines('few.jsonl', { source: whole, examples: examples.slice(0, 2) });
  await expect(run('barc', few)).rejects.toThrow(
    'few.jsonl:1: expected at least 2 examples with sides of at most 30, found 1',
  );
});

test("BARC's conversations: a grid as answer, or a program", async () => {
  const file = lines(
    'messages.jsonl',
    conversation('The output grid for the test input grid is:\n\n```\nBrown Purple\nBlack Black\n```'),
    conversation(
      "Let's solve this puzzle using Python code.\n```python\ndef transform(grid):\n    return grid\n```",
    ),
  );
  await run('barc-messages', file);
  expect(imported()).toEqual({
    'barc-messages-000001': [
      {
        train: examples,
        test: [
          {
            input: [[8, 9]],
            output: [
              [9, 8],
              [0, 0],
            ],
          },
        ],
      },
    ],
    'barc-messages-000002': [{ train: examples, test: [], code: 'def transform(grid):\n    return grid' }],
  });
});

const sample = { input: [[1]], output: [[2]] };
const arc = write(
  'arc.json',
  JSON.stringify({ aa: { train: [sample], test: [sample] }, bb: { train: [sample], test: [sample] } }),
);

test('programs: with samples or without, several for a task, a folder of files', async () => {
  const rows = lines(
    'code.jsonl',
    { task_id: 'x', code: 'one', train: [sample], test: [sample] },
    { id: 'aa', program: ['p', 'q'] },
  );
  expect(await run('code', rows, { datasetPath: arc })).toMatchObject({ tasks: 2, variants: 3 });
  const task = { train: [sample], test: [sample] };
  expect(imported()).toEqual({
    x: [{ ...task, code: 'one' }],
    aa: [
      { ...task, code: 'p' },
      { ...task, code: 'q' },
    ],
  });
  const object = write(
    'code.json',
    JSON.stringify({ y: { code: 'c', examples: [sample, sample] }, bb: 'd' }),
  );
  await run('code', object, { datasetPath: arc });
  expect(imported()).toEqual({
    y: [{ train: [sample, sample], test: [], code: 'c' }],
    bb: [{ ...task, code: 'd' }],
  });
  mkdirSync(join(folder, 'solvers'));
  write('solvers/aa.py', 'def solve(grid):\n    return grid\n');
  await run('code', join(folder, 'solvers'), { datasetPath: arc });
  expect(imported()).toEqual({ aa: [{ ...task, code: 'def solve(grid):\n    return grid\n' }] });
});

test('programs that generate-code wrote, of tasks that have some', async () => {
  const notes: string[] = [];
  const programs = {
    aa: [
      { code: 'p', logProb: -1.5, count: 3 },
      { code: 'q', logProb: -2, count: 1 },
    ],
    bb: [],
  };
  const inputPath = write('programs.json', JSON.stringify(programs));
  const result = await importTasks({
    ...{ format: 'code', inputPath, outputPath, datasetPath: arc },
    onEvent: ({ text }) => notes.push(text),
  });
  expect(result).toMatchObject({ tasks: 1, variants: 2, skipped: 0 });
  expect(imported().aa!.map(({ code }) => code)).toEqual(['p', 'q']);
  expect(notes).toEqual(['1 task has no program']);
  const broken = write('programs2.json', JSON.stringify({ aa: [{ logProb: 0 }] }));
  await expect(run('code', broken, { datasetPath: arc })).rejects.toThrow('expected the code of aa as text');
});

test('predictions become candidates, each grid once', async () => {
  const list = [[[5]], [[5]], [[2]], null].map((grid) => prediction('aa', 0, grid));
  const results = write('results.json', JSON.stringify(list));
  await run('candidates', results, { datasetPath: arc });
  expect(imported().aa![0]!.test).toEqual([{ ...sample, candidates: [[[5]], [[2]]] }]);
  expect(imported().bb![0]!.test).toEqual([sample]);
  const unknown = write('unknown.json', JSON.stringify([prediction('zz', 0, [[1]])]));
  await expect(run('candidates', unknown, { datasetPath: arc })).rejects.toThrow(
    'no single test input 0 of task zz',
  );
  await expect(run('candidates', results)).rejects.toThrow(
    '`datasetPath`: expected the tasks that were predicted',
  );
});

const broken = (answer: string, change: (text: string) => string = (text) => text) => {
  const { messages } = conversation(answer);
  return { messages: messages.map((turn) => ({ ...turn, content: change(turn.content) })) };
};

test.each([
  ['barc', [barcRow, '{"source": '], /bad\.jsonl:2: expected JSON, found /],
  ['barc', [{ ...barcRow, source: undefined }], /bad\.jsonl:1: .*required property 'source'/],
  [
    'barc',
    [
      barcRow,
      {
        ...barcRow,
        examples: [
          [[[1]], [[1]]],
          [[[1]], [[10]]],
        ],
      },
    ],
    /bad\.jsonl:2: .*at \/examples\/1\/1\/0\/0: must be at most 9, found 10/,
  ],
  [
    'barc',
    [
      {
        ...barcRow,
        examples: [
          [[[1]], [[1]]],
          [[[1], [1, 2]], [[1]]],
        ],
      },
    ],
    /bad\.jsonl:1: ragged grid at \/examples\/1\/0/,
  ],
  ['barc', [{ ...barcRow, examples: [[[[1]], [[1]]]] }], /must have at least 2 items/],
  ['barc-messages', [broken('I do not know.')], /bad\.jsonl:1: expected code in a block or a grid/],
  [
    'barc-messages',
    [broken('```\nBlack\n```', (text) => text.replace('Red Green', 'Red Lilac'))],
    /bad\.jsonl:1: expected the name of a colour, found "Lilac"/,
  ],
  [
    'barc-messages',
    [broken('```\nBlack\n```', (text) => text.replace('Red Green', 'Red'))],
    /bad\.jsonl:1: ragged grid/,
  ],
  [
    'barc-messages',
    [broken('```\nBlack\n```', (text) => text.replaceAll('Input:', 'In:'))],
    /bad\.jsonl:1: expected an input before each output/,
  ],
  ['code', [{ id: 'aa', train: [sample], test: [] }], /bad\.jsonl:1: expected the code of aa as text/],
  ['code', [{ code: 'x' }], /bad\.jsonl:1: expected the id of a task/],
  [
    'code',
    [{ id: 'aa', code: 'x' }],
    /bad\.jsonl:1: no samples of task aa: .*give the tasks that it is about as `datasetPath`/,
  ],
  [
    'code',
    [{ id: 'aa', code: 'x', train: [{ input: [[1]] }] }],
    /bad\.jsonl:1: .*at \/aa\/train\/0: must have required property 'output'/,
  ],
] as const)('bad input is named by file and line: %s %#', async (format, rows, message) => {
  await expect(run(format, lines('bad.jsonl', ...rows))).rejects.toThrow(message);
});

test('what is wrong can be left out, and is counted', async () => {
  const notes: string[] = [];
  const file = lines('some.jsonl', '{', barcRow, { source: 'x' });
  const result = await importTasks({
    format: 'barc',
    inputPath: file,
    outputPath,
    skipInvalid: true,
    onEvent: ({ text }) => notes.push(text),
  });
  expect(result).toMatchObject({ tasks: 1, skipped: 2 });
  expect(notes).toEqual([expect.stringContaining('left out: '), '2 rows were left out in all']);
});

test('mistakes in the options are said', async () => {
  await expect(run('barc', join(folder, 'nowhere.jsonl'))).rejects.toThrow('nowhere.jsonl: no such file');
  await expect(run('barc', write('x.parquet', ''))).rejects.toThrow('expected JSON lines; in Python');
  await expect(run('barc', write('empty.jsonl', '\n'))).rejects.toThrow('expected tasks, found none');
  const file = lines('barc2.jsonl', barcRow);
  await expect(run('barc', file, { datasetPath: arc })).rejects.toThrow(
    '`datasetPath`: rows of barc have samples',
  );
  await expect(run('barc', file, { outputPath: folder })).rejects.toThrow('a folder that does not exist yet');
  // biome-ignore lint/suspicious/noExplicitAny: what the types refuse
  await expect(run('bark' as any, file)).rejects.toThrow('`format`');
});

test('a folder gets files of 10,000 tasks each, which are read as one data set', async () => {
  const many = lines('many.jsonl', ...Array.from({ length: 10_001 }, () => barcRow));
  const parts = join(folder, 'parts');
  const { files } = await run('barc', many, { outputPath: parts });
  expect(files).toEqual([join(parts, 'part-0001.json'), join(parts, 'part-0002.json')]);
  expect(loadDataset(parts).size).toBe(10_001);
});

test('a folder whose import does not come to its end is not left behind', async () => {
  const rows = lines('broken-end.jsonl', ...Array.from({ length: 10_001 }, () => barcRow), '{');
  const parts = join(folder, 'unfinished');
  await expect(run('barc', rows, { outputPath: parts })).rejects.toThrow('broken-end.jsonl:10002: ');
  expect(existsSync(parts)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.startsWith('unfinished'))).toEqual([]);
});

test('variants of a task that are too far apart for one file of a folder are refused', async () => {
  const row = (id: string) => ({ id, code: 'x', train: [sample, sample], test: [sample] });
  const ids = [...Array.from({ length: 10_001 }, (_, i) => String(i)), '0'];
  const file = lines('apart.jsonl', ...ids.map(row));
  await expect(run('code', file, { outputPath: join(folder, 'apart') })).rejects.toThrow(
    'rows of task 0 are too far apart',
  );
});

test('line ends of Windows, and a line separator (U+2028) inside a text, are read as JSON has them', async () => {
  const code = 'a = 1 # \u2028 b';
  await run('barc', write('windows.jsonl', `\uFEFF${JSON.stringify({ ...barcRow, source: code })}\r\n\r\n`));
  expect(imported()['barc-000001']![0]!.code).toBe(code);
});

test('a folder that is named as a program is said', async () => {
  mkdirSync(join(folder, 'programs/aa.py'), { recursive: true });
  await expect(run('code', join(folder, 'programs'), { datasetPath: arc })).rejects.toThrow(
    'aa.py: cannot read a program: it is a folder',
  );
});

test('arclab import takes the format as its argument', async () => {
  const printed = catchPrinted();
  onTestFinished(() => void vi.restoreAllMocks());
  const files = ['--input_path', lines('cli.jsonl', barcRow), '--output_path', outputPath];
  expect(await main(['import', 'barc', ...files])).toBe(0);
  expect(printed.text).toBe(`1 tasks\n${outputPath}\n`);
  expect(await main(['import', 'bark', ...files])).toBe(2);
  expect(printed.text).toContain(
    '<format>: expected one of barc, barc-messages, code, candidates, found "bark"',
  );
});
