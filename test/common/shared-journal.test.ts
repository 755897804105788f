import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openShared } from '../../src/common/shared-journal.js';

test('the first rank takes over what ranks have left, however many; others begin anew', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'out.json.partial');
  const notes: string[] = [];
  const open = (rank: number, command = 'infer') =>
    openShared<number>(path, { command }, { onNote: (text) => notes.push(text), rank });
  const ranks = [0, 1, 2].map((rank) => open(rank));
  for (const [rank, journal] of ranks.entries()) journal.append(10 * rank);
  for (const journal of ranks) journal.close();
  const first = open(0);
  expect([...first.found].sort()).toEqual([0, 10, 20]);
  expect(existsSync(`${path}-1`)).toBe(false);
  first.close();
  // what is of something else is dropped
  const other = open(1, 'score');
  other.append(7);
  other.close();
  expect([...open(0).found].sort()).toEqual([0, 10, 20]);
  expect(notes).toEqual([expect.stringContaining('was made with another command')]);
  expect(existsSync(`${path}-1`)).toBe(false);
});
