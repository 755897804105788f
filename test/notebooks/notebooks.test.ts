import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { compareRuns } from '../../src/writeup/check.js';
import { readNotebookJson, sourceText } from '../../src/writeup/notebook-json.js';
import { buildDeclarations } from '../declarations.js';
import { pythonWith } from '../prerequisites/index.js';

const execute = promisify(execFile);
const shipped = join(packageRoot(), 'notebooks');
const names = readdirSync(shipped).filter((name) => name.endsWith('.ipynb'));
const python = pythonWith('nbclient', 'nbformat');
const cli = join(packageRoot(), 'dist/arclab.cjs');
let folder = '';

/** A kernelspec as an installation writes it. */
function writeKernel(name: string, argv: string[]): void {
  const target = join(folder, 'jupyter/kernels', name);
  mkdirSync(target, { recursive: true });
  const spec = { argv, display_name: name, language: 'typescript', interrupt_mode: 'message' };
  writeFileSync(join(target, 'kernel.json'), JSON.stringify(spec));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-notebooks-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(packageRoot(), join(folder, 'node_modules/arclab'));
  for (const name of names) copyFileSync(join(shipped, name), join(folder, name));
  // stock tslab refuses cells with type errors, so it has to see the library's types
  await buildDeclarations();
  const node = process.execPath;
  writeKernel('ours', [node, join(packageRoot(), 'dist/kernel.cjs'), '{connection_file}']);
  const tslab = join(packageRoot(), 'node_modules/tslab/bin/tslab');
  writeKernel('stock', [node, tslab, 'kernel', '--config-path', '{connection_file}']);
  return () => rmSync(folder, { recursive: true });
}, 400_000);

async function withNbclient(kernel: string, name: string, parameters?: string) {
  const output = join(folder, `${kernel}-${name}`);
  const script = join(packageRoot(), 'test/notebooks/execute.py');
  const args = ['-W', 'ignore', script, kernel, join(folder, name), output];
  await execute(python!, parameters === undefined ? args : [...args, parameters], {
    cwd: folder,
    env: { ...process.env, JUPYTER_PATH: join(folder, 'jupyter'), ARCLAB_BACKEND: 'wasm' },
  });
  return readNotebookJson(output);
}

/** Values that make a notebook short, of those that it has as parameters. */
function smallest(name: string): string {
  const parameters = readNotebookJson(join(shipped, name)).cells.find(({ metadata }) =>
    metadata.tags?.includes('parameters'),
  );
  const values = { max_steps: '2', seeds: '[1]', predictions_per_task: '2', task_count: '2' };
  return Object.entries(values)
    .filter(([parameter]) => sourceText(parameters?.source).includes(`let ${parameter} =`))
    .map(([parameter, value]) => `${parameter} = ${value};`)
    .join('\n');
}

test('there are notebooks, with the outputs of a run', () => {
  expect(names.length).toBeGreaterThanOrEqual(7);
  for (const name of names) {
    const { cells, metadata } = readNotebookJson(join(shipped, name));
    expect(metadata.kernelspec).toMatchObject({ name: 'tslab', language: 'typescript' });
    const ran = cells.filter((cell) => cell.cell_type === 'code' && cell.execution_count !== null);
    expect(ran.length, name).toBe(cells.filter((cell) => cell.cell_type === 'code').length);
  }
});

/**
 * The numbers are compared to the last digit, whatever the processor: notebooks compute with the embedded backend, and
 * its WebAssembly has no instruction whose result depends on the processor, nor sums whose order depends on the number
 * of threads. What may differ from machine to machine is not among the recorded numbers: seconds, memory, versions and
 * paths. A notebook that is rerun on another backend (its parameter `backend`) differs in the last digits of losses.
 */
describe.each(names)('%s', (name) => {
  test('the headless runner gives every number that was recorded, to the last digit', async () => {
    const output = join(folder, `runner-${name}`);
    await execute(process.execPath, [cli, 'run', join(folder, name), '-o', output], { cwd: folder });
    const { changes, numbers } = compareRuns(readNotebookJson(join(shipped, name)), readNotebookJson(output));
    expect(changes).toEqual([]);
    expect(numbers).toBeGreaterThan(0);
  }, 1_200_000);

  // made short where it has parameters: the runner has computed the recorded numbers, kernels only carry them
  test.skipIf(python === undefined)(
    'nbclient gets the same from our kernel and from stock tslab',
    async () => {
      const parameters = smallest(name);
      // what is not made short has been recorded with our kernel
      const ours =
        parameters === ''
          ? readNotebookJson(join(shipped, name))
          : await withNbclient('ours', name, parameters);
      const failed = ours.cells.filter(
        (cell) => cell.cell_type === 'code' && cell.outputs.some((output) => output.output_type === 'error'),
      );
      expect(failed).toEqual([]);
      const { changes, numbers } = compareRuns(ours, await withNbclient('stock', name, parameters));
      expect(changes).toEqual([]);
      expect(numbers).toBeGreaterThan(0);
    },
    1_200_000,
  );
});
