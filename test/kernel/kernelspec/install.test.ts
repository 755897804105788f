import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { userDataFolder } from '../../../kernel/kernelspec/folders.js';
import { arclabSpec, kernelCommand, temporaryWarning } from '../../../kernel/kernelspec/spec.js';
import { pythonWith } from '../../prerequisites/index.js';

const cli = fileURLToPath(new URL('../../../dist/arclab.cjs', import.meta.url));
let prefix: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), 'arclab-kernelspec-'));
  const { VIRTUAL_ENV, CONDA_PREFIX, ...rest } = process.env;
  env = { ...rest, JUPYTER_DATA_DIR: join(prefix, 'user'), JUPYTER_PATH: '' };
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

function arclab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [cli, 'kernel', ...args], { env, encoding: 'utf8' });
}
const kernels = () => join(prefix, 'share/jupyter/kernels');

test('the command line is a program of its own, as npm links it', () => {
  expect(execFileSync(cli, ['kernel', '--help'], { encoding: 'utf8' })).toContain('install');
});

test('writes kernel.json with the Node that runs now, the bundle, and logos', () => {
  expect(arclab('install', '--prefix', prefix).status).toBe(0);
  const folder = join(kernels(), 'arclab');
  const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'));
  expect(spec).toMatchObject({ language: 'typescript', interrupt_mode: 'message' });
  expect(spec.argv.slice(-3)).toEqual([process.execPath, expect.any(String), '{connection_file}']);
  for (const file of spec.argv.slice(0, -1)) expect(existsSync(file)).toBe(true);
  for (const size of [32, 64]) {
    const png = readFileSync(join(folder, `logo-${size}x${size}.png`));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // width and height of the header
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([size, size]);
  }
  expect(readFileSync(join(folder, 'logo-svg.svg'), 'utf8')).toContain('<svg');
  // nothing half-made stays beside it
  expect(readdirSync(kernels())).toEqual(['arclab']);
});

test('a name takes the place of what had it, such as tslab, and stock tslab gets another', () => {
  mkdirSync(join(kernels(), 'tslab'), { recursive: true });
  writeFileSync(join(kernels(), 'tslab/kernel.json'), '{ "argv": ["old"] }');
  writeFileSync(join(kernels(), 'tslab/stray'), '');
  expect(arclab('install', '--prefix', prefix, '--name', 'tslab', '--tslab').status).toBe(0);
  expect(readdirSync(kernels()).sort()).toEqual(['tslab', 'tslab-stock']);
  expect(existsSync(join(kernels(), 'tslab/stray'))).toBe(false);
  const ours = JSON.parse(readFileSync(join(kernels(), 'tslab/kernel.json'), 'utf8'));
  const stock = JSON.parse(readFileSync(join(kernels(), 'tslab-stock/kernel.json'), 'utf8'));
  expect(ours.argv.at(-2)).toMatch(/kernel\.cjs$/);
  expect(stock.argv[1]).toMatch(/tslab$/);
});

test('--user, --sys-prefix, list and uninstall', () => {
  expect(arclab('list').stdout).toContain('arclab kernel install');
  expect(arclab('install', '--user').stdout).toContain(join(prefix, 'user/kernels/arclab'));
  env.VIRTUAL_ENV = join(prefix, 'venv');
  expect(arclab('install', '--sys-prefix', '--name', 'in-venv').stdout).toContain(
    join(prefix, 'venv/share/jupyter/kernels/in-venv'),
  );
  const foreign = join(prefix, 'user/kernels/foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'kernel.json'), '{ "argv": ["python"] }');
  const { stdout } = arclab('list');
  expect(stdout.match(/^\S+/gm)).toEqual(['in-venv', 'arclab']);
  expect(arclab('uninstall', 'foreign')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('installed are: in-venv, arclab'),
  });
  expect(arclab('uninstall').status).toBe(0);
  expect(existsSync(join(prefix, 'user/kernels/arclab'))).toBe(false);
  expect(existsSync(foreign)).toBe(true);
});

describe('mistakes are one line, exit code 2, and leave nothing behind', () => {
  const cases: [string, () => string[], RegExp][] = [
    [
      'a name with a slash',
      () => ['--prefix', prefix, '--name', '../up'],
      /--name "\.\.\/up": expected letters/,
    ],
    ['a place that is a file', () => ['--prefix', cli], /cannot write to .*Choose another place/],
    ['a place below /proc', () => ['--prefix', '/proc/nowhere'], /cannot write to \/proc\/nowhere/],
    ['two places', () => ['--user', '--sys-prefix'], /give one of them/],
  ];
  test.each(cases)('%s', (_, args, message) => {
    const { status, stderr } = arclab('install', ...args());
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(kernels())).toBe(false);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that cannot be written', () => {
    chmodSync(prefix, 0o500);
    const { status, stderr } = arclab('install', '--prefix', prefix);
    chmodSync(prefix, 0o700);
    expect(status).toBe(2);
    expect(stderr).toContain('cannot write');
  });
});

const python = pythonWith('jupyter_client');

test.skipIf(python === undefined)('Jupyter finds it', () => {
  arclab('install', '--prefix', prefix, '--name', 'Mine');
  const code =
    'from jupyter_client.kernelspec import KernelSpecManager as M; s = M().get_kernel_spec("mine"); print(s.display_name, s.interrupt_mode)';
  const output = execFileSync(python!, ['-c', code], {
    env: { ...env, JUPYTER_PATH: join(prefix, 'share/jupyter') },
    encoding: 'utf8',
  });
  expect(output.trim()).toBe('TypeScript (arclab) message');
});

// vscode-jupyter, src/kernels/raw/finder/jupyterPaths.node.ts, src/kernels/raw/launcher/kernelProcess.node.ts
test('VS Code finds the kernel of a person where it looks itself, with what it needs', () => {
  const env = { HOME: '/home/a', APPDATA: '/home/a/AppData/Roaming' };
  expect((['linux', 'darwin', 'win32'] as const).map((platform) => userDataFolder(env, platform))).toEqual([
    '/home/a/.local/share/jupyter',
    '/home/a/Library/Jupyter',
    '/home/a/AppData/Roaming/jupyter',
  ]);
  // it puts the file's name in the place of this, sends interrupts as messages, and opens cells as this language
  const { argv, ...spec } = arclabSpec(fileURLToPath(new URL('../../../dist/kernel.cjs', import.meta.url)));
  expect(argv).toContain('{connection_file}');
  expect(spec).toMatchObject({
    display_name: expect.any(String),
    language: 'typescript',
    interrupt_mode: 'message',
  });
});

test('on Windows, which has no shell for it, the kernel has no supervisor', () => {
  expect(kernelCommand('C:\\kernel.cjs', 'win32')).toEqual([process.execPath, 'C:\\kernel.cjs']);
  expect(kernelCommand('/dist/kernel.cjs', 'darwin')).toEqual([
    '/bin/sh',
    '/dist/kernel.sh',
    process.execPath,
    '/dist/kernel.cjs',
  ]);
});

test.each([
  ['/home/a/.npm/_npx/0123abcd/node_modules/arclab/dist/kernel.cjs', true],
  ['C:\\Users\\a\\AppData\\Local\\npm-cache\\_npx\\0123abcd\\node_modules\\arclab\\dist\\kernel.cjs', true],
  ['/usr/lib/node_modules/arclab/dist/kernel.cjs', false],
])('a bundle in the cache of npx will not stay: %s', (bundle, isTemporary) => {
  const warning = temporaryWarning(bundle);
  if (isTemporary) expect(warning).toContain('npm install --global arclab');
  else expect(warning).toBeUndefined();
});
