import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { validateSubmission } from '../../src/evaluation/submission.js';
import { renderedCell } from './cells.js';
import { python, withPython } from './python.js';

const FILE = 'arc-agi_test_challenges.json';
const two = { train: [{ input: [[1]], output: [[2, 3]] }], test: [{ input: [[4]] }, { input: [[5], [6]] }] };

/** Runs the cell in a copy of Kaggle's folders. */
function run(files: Record<string, string>, prepare: (root: string) => void = () => {}) {
  const root = mkdtempSync(join(tmpdir(), 'arclab-fallback-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'working'));
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, 'input', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  prepare(root);
  const output = python(renderedCell('fallback'), { env: { ARCLAB_KAGGLE_ROOT: root } }).toString();
  const path = join(root, 'working/submission.json');
  return { output, submission: existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined };
}

withPython('is a valid submission for the challenges', () => {
  const { submission, output } = run({ [`arc-prize-2025/${FILE}`]: JSON.stringify({ a: two }) });
  expect(submission).toEqual({
    a: [
      { attempt_1: [[4]], attempt_2: [[2, 3]] },
      { attempt_1: [[5], [6]], attempt_2: [[2, 3]] },
    ],
  });
  expect(output).toMatch(/^fallback {3}1 tasks of /);
});

withPython('is for the tasks of the competition, wherever they are mounted', () => {
  const { submission } = run({
    [`another/${FILE}`]: JSON.stringify({ b: two }),
    [`competitions/arc-prize-2025/${FILE}`]: JSON.stringify({ a: two }),
  });
  expect(Object.keys(submission)).toEqual(['a']);
  const linked = run({ [`another/${FILE}`]: JSON.stringify({ b: two }) }, (root) => {
    symlinkSync(join(root, 'input'), join(root, 'input/another/loop'));
  });
  expect(Object.keys(linked.submission)).toEqual(['b']);
});

withPython('is valid for tasks with strange grids', () => {
  const wide = Array.from({ length: 31 }, () => 0);
  const tasks = {
    a: { train: [], test: [{ input: [wide] }] },
    b: { train: [{ input: [[1]], output: [] }], test: [{ input: [[1], [2, 3]] }, { input: [[true]] }] },
  };
  const { submission } = run({ [`x/${FILE}`]: JSON.stringify(tasks) });
  const test = { input: [[1]] };
  const shape = new Map([
    ['a', { train: [], test: [test] }],
    ['b', { train: [], test: [test, test] }],
  ]);
  expect(() => validateSubmission(submission, shape)).not.toThrow();
});

withPython.each([
  ['no challenges', {}, `none: there is no ${FILE} in`],
  ['challenges that are cut off', { [`x/${FILE}`]: '{"a": {"tra' }, 'none: JSONDecodeError: '],
  ['challenges of another shape', { [`x/${FILE}`]: '[1]' }, 'none: AttributeError: '],
])('raises no error for %s', (_, files, message) => {
  const { output, submission } = run(files as Record<string, string>);
  expect(output).toContain(message);
  expect(submission).toBeUndefined();
});
