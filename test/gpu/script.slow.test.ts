/** The script for a GPU, on the processor: it runs through, and a kill leaves what was learnt. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { programUnderTest } from '../prerequisites/index.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-gpu-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const python = programUnderTest('python with torch');

describe.skipIf(python === undefined)('the script on the processor', () => {
  const bundle = fileURLToPath(new URL('../../dist/gpu.cjs', import.meta.url));
  const env = { ...process.env, ARCLAB_PYTHON: python };

  test('every part runs with a small model', { timeout: 180_000 }, () => {
    const output = join(folder, 'all.txt');
    const args = [bundle, '--device', 'cpu', '--dtype', 'float32', '--output', output];
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8', env });
    expect(readFileSync(output, 'utf8')).toBe(printed);
    expect(printed).toContain('everything holds');
    const heads = [...printed.matchAll(/^(\w+): /gm)].map(([, name]) => name);
    expect(heads.slice(0, 5)).toEqual(['machine', 'conformance', 'parity', 'training', 'decoding']);
    expect(heads).toEqual(expect.arrayContaining(['limits', 'scoring', 'search', 'task', 'int8', 'nccl']));
    expect(printed).toMatch(/nccl: .*\n {2}LEFT OUT: it needs a GPU/);
  });

  test('a kill of the script leaves what was learnt', { timeout: 60_000 }, async () => {
    const output = join(folder, 'killed.txt');
    writeFileSync(output, '');
    const args = [bundle, '--device', 'cpu', '--dtype', 'float32', '--output', output, 'conformance'];
    const child = spawn(process.execPath, args, { stdio: 'ignore', env });
    const exited = once(child, 'exit');
    while (child.exitCode === null && !readFileSync(output, 'utf8').includes('matMul')) await sleep(20);
    child.kill('SIGKILL');
    await exited;
    expect(readFileSync(output, 'utf8')).toMatch(/matMul +float32 \d/);
  });
});
