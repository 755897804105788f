import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
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

test.each([
  ['node16', 'node16'],
  ['esnext', 'bundler'],
])(
  'programs of others compile against its declarations (module %s, resolution %s)',
  (module, moduleResolution) => {
    const root = join(import.meta.dirname, '..');
    const program = join(root, 'dist', `user-${module}.mts`);
    // inside of a package its own name leads to what its package.json exports
    writeFileSync(
      program,
      `import { fineTune, type Grid, gridSvg } from 'arclab';
const grid: Grid = [[1, 2]];
console.log(gridSvg(grid));
const { history } = await fineTune({ modelPath: 'm', trainDatasets: [['t.json', 'output-from-examples-v1']], outputDir: 'o', maxSteps: 1 });
// @ts-expect-error: the types are there, and not any
history.nothing;
`,
    );
    const flags = ['--noEmit', '--strict', '--target', 'es2022'];
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    try {
      execFileSync(
        process.execPath,
        [tsc, ...flags, '--module', module, '--moduleResolution', moduleResolution, program],
        { cwd: join(root, 'dist'), encoding: 'utf8' },
      );
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout);
    } finally {
      rmSync(program);
    }
  },
  60_000,
);

test('npm packs the program with its declarations, and nothing that only development needs', () => {
  const list = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  });
  const [{ files }] = JSON.parse(list) as [{ files: { path: string }[] }];
  const built = files.map(({ path }) => path).filter((path) => /^dist\/[^/]+$/.test(path));
  expect(built.sort()).toEqual(
    [
      ...['arclab', 'index', 'kernel', 'kernel-bridge', 'kernel-language'],
      ...['sample-worker', 'submit-worker', 'wasm-worker'],
    ]
      .map((name) => `dist/${name}.cjs`)
      .concat('dist/kernels.wasm')
      .sort(),
  );
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['docs/report.png', 'dist/types/package.json', 'dist/types/src/index.d.ts']),
  );
});
