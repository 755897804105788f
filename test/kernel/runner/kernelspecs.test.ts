import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { searchedFolders } from '../../../kernel/kernelspec/folders.js';
import { findKernelSpec, listKernels, resolveKernel } from '../../../kernel/runner/kernelspecs.js';
import { UserError } from '../../../src/common/errors.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';
import { scratchFolder } from './notebooks.js';

const folder = scratchFolder();
function install(prefix: string, name: string, content: unknown): string {
  const path = join(folder, prefix, 'kernels', name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'kernel.json'), typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
const env = (...prefixes: string[]) => ({
  HOME: join(folder, 'home'),
  JUPYTER_PATH: prefixes.map((prefix) => join(folder, prefix)).join(':'),
});

describe('kernelspecs', () => {
  it('are found in the first folder that has them, whatever their case', () => {
    install('one', 'mine', { argv: ['one', '{connection_file}'], display_name: 'x', language: 'Mine' });
    const second = install('two', 'mine', {
      argv: ['two'],
      display_name: 'x',
      language: 'b',
      interrupt_mode: 'message',
    });
    expect(findKernelSpec('MINE', env('one', 'two'))).toMatchObject({
      argv: ['one', '{connection_file}'],
      language: 'mine',
    });
    expect(findKernelSpec('mine', env('two', 'one'))).toEqual({
      name: 'mine',
      language: 'b',
      argv: ['two'],
      env: {},
      interruptMode: 'message',
      folder: second,
    });
    expect(findKernelSpec('other', env('one'))).toBeUndefined();
    expect(listKernels({ ...env('one', 'two'), PATH: '' })).toContain('mine');
  });

  it.each([
    ['{"argv": [', 'cannot read the kernel broken'],
    [{ argv: [] }, 'expected "argv"'],
    [{ argv: 'a b' }, 'expected "argv"'],
  ])('that are of no use are refused: %j', (content, message) => {
    install('broken', 'broken', content);
    const run = () => findKernelSpec('broken', env('broken'));
    expect(run).toThrow(UserError);
    expect(run).toThrow(message);
  });

  it('runs the `python` of the environment that a kernel belongs to', () => {
    const prefix = join(folder, 'venv');
    mkdirSync(join(prefix, 'bin'), { recursive: true });
    writeFileSync(join(prefix, 'bin', 'python'), '');
    install('venv/share/jupyter', 'python3', { argv: ['python', '-m', 'x'], language: 'python' });
    const spec = findKernelSpec('python3', { HOME: folder, PATH: '', VIRTUAL_ENV: prefix });
    expect(spec!.argv).toEqual([join(prefix, 'bin', 'python'), '-m', 'x']);
  });

  it('names those that there are when one is unknown', () => {
    expect(() => resolveKernel('nonesuch', folder)).toThrow(
      /^Unknown kernel "nonesuch"\. Known kernels: arclab/,
    );
  });

  it('needs none for the tslab of npm', () => {
    const { argv, language } = resolveKernel('tslab', folder);
    expect(language).toBe('typescript');
    expect(argv.at(-1)).toBe('{connection_file}');
  });
});

const python = pythonWith('jupyter_client');

describe.skipIf(python === undefined)("Jupyter's own search path", () => {
  it('is ours', () => {
    const theirs = runPython(
      python!,
      'import json, sys\nfrom jupyter_core.paths import jupyter_path\nprint(json.dumps([jupyter_path("kernels"), sys.prefix]))',
      '',
    ) as [string[], string];
    const [paths, prefix] = theirs;
    // Python knows its prefix by itself, and takes it for an environment that is active
    const ours = searchedFolders({ ...process.env, VIRTUAL_ENV: prefix, PATH: '' });
    expect(ours).toEqual(paths);
  });
});
