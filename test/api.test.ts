import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const build = join(import.meta.dirname, '..', 'dist', 'index.cjs');

/** What a program in a process of its own prints. */
const run = (type: 'module' | 'commonjs', code: string): string =>
  execFileSync(process.execPath, [`--input-type=${type}`, '-e', code], { encoding: 'utf8' });

const flows = [
  'fineTune',
  'infer',
  'inferEvaluate',
  'evaluate',
  'vote',
  'compareFiles',
  'generateInputs',
  'mergeLora',
  'score',
  'initModel',
  'generateTasks',
  'doctor',
  'start',
  'testTimeFineTune',
  'submit',
  'checkSubmission',
  'validateSubmission',
];

test('every flow can be required and imported, and both give the same function', () => {
  const typesOf = `${JSON.stringify(flows)}.map((name) => typeof arclab[name]).join()`;
  const expected = flows.map(() => 'function').join();
  expect(
    run('commonjs', `const arclab = require(${JSON.stringify(build)}); console.log(${typesOf})`).trim(),
  ).toBe(expected);
  const url = JSON.stringify(pathToFileURL(build).href);
  expect(run('module', `import * as arclab from ${url}; console.log(${typesOf})`).trim()).toBe(expected);
});

test('loading the library leaves nothing running and prints nothing', () => {
  expect(run('commonjs', `require(${JSON.stringify(build)})`)).toBe('');
});
