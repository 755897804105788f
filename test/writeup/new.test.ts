import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newWriteup } from '../../src/writeup/new.js';

test('the next number, a name from the title, the title as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'writeups-'));
  for (const name of ['09-a.ipynb', '21-b.md', 'notes.md']) writeFileSync(join(folder, name), '');
  const { number, name, markdown } = newWriteup("Learning the inputs' distribution", folder, '2026-01-31');
  expect([number, name]).toEqual([22, '22-learning-the-inputs-distribution']);
  expect(markdown).toMatch(/^# Iteration 22\. Learning the inputs' distribution\n\n_2026-01-31_\n/);
  expect(newWriteup('x', join(folder, 'missing'), '2026-01-31').name).toBe('01-x');
});

test('a title without letters names no file', () => {
  expect(() => newWriteup('☃', '.', '2026-01-31')).toThrow(/letters or digits.*"☃"/);
});

test('a title is text: no template, and no block of commands', () => {
  const { markdown } = newWriteup('{{ 7 * 7 }} {% set x = 1 %}\n```bash\nrm -r x\n```', '.', '2026-01-31');
  expect(markdown.split('\n')[0]).toMatch(
    /^# Iteration \d+\. \{\{ 7 \* 7 }} \{% set x = 1 %} ```bash rm -r x ```$/,
  );
});
