import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { shrinkNativeModule } from '../../src/kaggle/native-module.js';

const path = join(packageRoot(), 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
const runsHere = process.platform === 'linux' && process.arch === 'x64' && existsSync(path);

/** Calls a function of the C library, which calls back, as often as asked. */
const SCRIPT = `
const koffi = require(process.argv[1]);
const libc = koffi.load('libc.so.6');
const Compare = koffi.proto('int Compare(const void *, const void *)');
const qsort = libc.func('void qsort(_Inout_ int *, size_t, size_t, Compare *)');
const sorted = [3, 1, 2];
qsort(sorted, 3, 4, (a, b) => koffi.decode(a, 'int') - koffi.decode(b, 'int'));
const Index = koffi.proto('int Index()');
const pointers = Array.from({ length: 8192 }, (_, i) => koffi.register(() => i, koffi.pointer(Index)));
const called = pointers.every((pointer, i) => koffi.call(pointer, Index) === i);
console.log(JSON.stringify({
  pid: libc.func('int getpid()')() === process.pid,
  sorted,
  called,
}));`;

describe('koffi with fewer exports', () => {
  it.skipIf(!runsHere)('calls libraries and is called by them, with all of its callbacks', () => {
    const folder = mkdtempSync(join(tmpdir(), 'arclab-koffi-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const copy = join(folder, 'koffi.node');
    writeFileSync(copy, shrinkNativeModule(readFileSync(path), /^(napi|node_api)_/));
    const told = execFileSync(process.execPath, ['-e', SCRIPT, copy], { encoding: 'utf8' });
    expect(JSON.parse(told)).toEqual({ pid: true, sorted: [1, 2, 3], called: true });
  });

  it.skipIf(!existsSync(path))('has the same code and data, and the names of an addon', () => {
    const before = readFileSync(path);
    const after = shrinkNativeModule(before, /^(napi|node_api)_/);
    expect(after.length).toBe(before.length);
    expect(after.includes('napi_register_module_v1\0')).toBe(true);
    expect(before.includes('\0Trampoline4711\0')).toBe(true);
    expect(after.includes('\0Trampoline4711\0')).toBe(false);
    // nothing else was written: three quarters of what changed became zero
    const changed = [...after].filter((byte, i) => byte !== before[i] && byte !== 0).length;
    expect(changed).toBeLessThan(15_000);
  });

  it('takes no other file', () => {
    expect(() => shrinkNativeModule(Buffer.from('MZ'), /x/)).toThrow('expected a native module for Linux');
  });
});
