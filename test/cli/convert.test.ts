import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { catchPrinted } from './printed.js';

let folder: string;
let printed: { text: string };
const file = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(file(name), 'utf8');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-convert-'));
  printed = catchPrinted();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

it('makes a notebook of a script and a script of a notebook, with the same bytes again', async () => {
  writeFileSync(file('a.ts'), '// %% [markdown]\n// # Sum\n\n// %% tags=["last"]\n1 + 1\n');
  expect(await main(['convert', file('a.ts')])).toBe(0);
  const notebook = read('a.ipynb');
  expect(await main(['convert', file('a.ipynb')])).toBe(0);
  const script = read('a.ts');
  expect(script).toContain('// %% tags=["last"]\n1 + 1\n');
  expect(await main(['convert', file('a.ts')])).toBe(0);
  expect(await main(['convert', file('a.ipynb')])).toBe(0);
  expect([read('a.ipynb'), read('a.ts')]).toEqual([notebook, script]);
  expect(printed.text.match(/is up to date\n/g)).toHaveLength(2);
});

it.each([
  ['convert', [], 'a.ts:1: the header is not valid YAML'],
  ['run', [], 'a.ts:1: the header is not valid YAML'],
  ['convert', ['-o', 'b.ts'], 'b.ts: expected a name that ends in .ipynb'],
])('%s %j of a wrong script is one line, exit code 2, and writes nothing', async (command, rest, text) => {
  writeFileSync(file('a.ts'), '// ---\n// jupyter:\n//   a: [1\n// ---\n');
  expect(await main([command, file('a.ts'), ...rest])).toBe(2);
  expect(printed.text).toContain(text);
  expect(printed.text.trim().split('\n')).toHaveLength(1);
  expect(existsSync(file('a.ipynb'))).toBe(false);
});
