import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sh } from '../../src/writeup/sh.js';

let printed = '';
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
});
afterEach(() => vi.restoreAllMocks());

test('folder and variables hold for the next command; values are one word each', async () => {
  await sh`cd /usr; GREETING="good day"`;
  await sh`pwd; echo "$GREETING" ${"it's $HOME"} ${['a b', 3]}`;
  expect(printed).toBe("/usr\ngood day it's $HOME a b 3\n");
});

test('a command that fails says which, how and its last words', async () => {
  await expect(sh`cd /usr
echo wrong thing >&2; exit 3`).rejects.toThrow(/^cd \/usr ended with exit code 3: wrong thing$/);
});

test('arclab is this package', async () => {
  await sh`arclab --version | wc -l`;
  expect(printed.trim()).toBe('1');
});
