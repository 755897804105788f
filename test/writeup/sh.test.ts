import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sh } from '../../src/writeup/sh.js';

let printed = '';
let errors = '';
beforeEach(() => {
  printed = '';
  errors = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += String(text);
    return true;
  });
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

test('progress on the standard error is output, and lines that report an error are errors', async () => {
  await sh`printf 'step 1/2 loss 0.5\n10 %%\r20 %%\r' >&2; echo "error: no such thing" >&2; echo "ValueError: x" >&2; printf done >&2`;
  expect(printed).toBe('step 1/2 loss 0.5\n10 %\r20 %\rdone');
  expect(errors).toBe('error: no such thing\nValueError: x\n');
});
