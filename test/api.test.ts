import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { buildDeclarations } from './declarations.js';

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
  'generateCode',
  'importTasks',
  'mergeLora',
  'moveAdapter',
  'pruneModel',
  'score',
  'initModel',
  'generateTasks',
  'doctor',
  'start',
  'testTimeFineTune',
  'submit',
  'checkSubmission',
  'validateSubmission',
  'runNotebook',
  'buildNotebook',
  'importWriteup',
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

test('names its exports one by one, with what a model run by hand needs', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/index.ts'), 'utf8');
  expect(source).not.toMatch(/^export \* from/m);
  const names = 'initBackend loadDecoder packSequences Decoder KvCache generate startKnobs generateTasks tf';
  const missing = `${JSON.stringify(names.split(' '))}.filter((name) => !(name in arclab))`;
  expect(
    run('commonjs', `const arclab = require(${JSON.stringify(build)}); console.log(${missing}.join())`),
  ).toBe('\n');
});

beforeAll(buildDeclarations, 400_000);

test.each([
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
])(
  'programs of others compile against its declarations (module %s, resolution %s)',
  (module, moduleResolution) => {
    const root = join(import.meta.dirname, '..');
    const program = join(root, 'dist', `user-${module}.mts`);
    // inside of a package its own name leads to what its package.json exports
    writeFileSync(
      program,
      `import { evaluate, fineTune, type Grid, gridSvg, initBackend, loadDecoder, packSequences, runNotebook, tf } from 'arclab';
const grid: Grid = [[1, 2]];
console.log(gridSvg(grid));
const { history } = await fineTune({ modelPath: 'm', trainDatasets: [['t.json', 'output-from-examples-v1']], outputDir: 'o', maxSteps: 1 });
// @ts-expect-error: the types are there, and not any
history.nothing;
const task = { train: [{ input: grid, output: grid }], test: [{ input: grid, output: grid }] };
const { votes } = evaluate({ predictions: new Map([['t', [[grid]]]]), tasks: new Map([['t', task]]) });
console.log(votes?.vote_1);
const { failures } = await runNotebook({ path: 'notebook.ipynb' });
for (const { cell, failure } of failures) console.log(cell.number, failure);
await initBackend('wasm');
const decoder = await loadDecoder('m');
const logits: tf.Tensor2D = tf.tidy(() => decoder.logits(decoder.forward(packSequences([[1, 2]]))));
logits.dispose();
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
  240_000,
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
      ...['arclab', 'index', 'kernel', 'kernel-bridge', 'kernel-language', 'queue-thread'],
      ...['sample-worker', 'submit-worker', 'wasm-worker'],
    ]
      .map((name) => `dist/${name}.cjs`)
      .concat(
        'dist/browser.mjs',
        'dist/kernel.sh',
        'dist/kernels.wasm',
        'dist/tree-sitter-bash.wasm',
        'dist/web-tree-sitter.wasm',
      )
      .sort(),
  );
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      'docs/report.png',
      'dist/types/package.json',
      'dist/types/src/index.d.ts',
      'dist/types/src/browser.d.mts',
    ]),
  );
});

test('declarations that are newer than every source are not written again', () => {
  const root = join(import.meta.dirname, '..');
  const written = () => statSync(join(root, 'dist/types/src/browser.d.mts')).mtimeMs;
  const before = written();
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--types-only']);
  expect(written()).toBe(before);
});
