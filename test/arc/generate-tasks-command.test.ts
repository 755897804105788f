import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import { generators } from '../../src/arc/generators/index.js';
import { main } from '../../src/cli/main.js';
import { catchPrinted } from '../cli/printed.js';

let folder: string;
let printed: { text: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-generate-'));
  printed = catchPrinted();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

it('writes the same file for the same flags', async () => {
  const [first, second] = [join(folder, 'a.json'), join(folder, 'b.json')];
  const flags = ['--count', '20', '--seed=1', '--max_size', '6', '--train-samples', '2-4'];
  expect(await main(['generate-tasks', '--output_path', first, ...flags])).toBe(0);
  expect(await main(['generate-tasks', '--output_path', second, ...flags])).toBe(0);
  expect(readFileSync(first)).toEqual(readFileSync(second));
  expect(loadTasks(first).size).toBe(20);
  expect(printed.text).toContain(`${first}: 20 tasks`);
});

it('writes only the generators asked for', async () => {
  const path = join(folder, 'a.json');
  const flags = ['--generators', 'gravity, tile', '--count=4', `--output_path=${path}`];
  expect(await main(['generate-tasks', ...flags])).toBe(0);
  expect([...loadTasks(path).keys()]).toEqual(['gravity-0', 'tile-0', 'gravity-1', 'tile-1']);
});

it('lists every generator with its family and description', async () => {
  expect(await main(['generate-tasks', '--list'])).toBe(0);
  const lines = printed.text.trim().split('\n');
  expect(lines).toHaveLength(Object.keys(generators).length);
  expect(lines).toContainEqual(expect.stringMatching(/^motion +gravity +Every coloured cell falls/));
});

it.each([
  [['--generators', 'gravty'], 'Known: flip-left-right'],
  [['--max_size', '2'], '--max_size: expected an integer from 3 to 30, found 2'],
  [['--train_samples', 'many'], '2-5'],
  [['--min_size', '12'], '--min_size: expected at most --max_size, which is 10, found 12'],
])('ends %j with code 2 and no file', async (flags, words) => {
  const path = join(folder, 'a.json');
  expect(await main(['generate-tasks', '--output_path', path, ...flags])).toBe(2);
  expect(printed.text).toContain(words);
  expect(existsSync(path)).toBe(false);
});

it('asks for the file', async () => {
  expect(await main(['generate-tasks', '--count', '3'])).toBe(2);
  expect(printed.text).toContain('--output_path');
});
