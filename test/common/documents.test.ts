/** The Markdown that people read: links lead somewhere, and the first page stays one page. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { readNotebookJson, sourceText } from '../../src/writeup/notebook-json.js';

const root = packageRoot();
const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'BENCHMARKS.md', 'CHANGELOG.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

test.each(pages)('every link of %s to a file of the package leads to one', (page) => {
  const text = readFileSync(join(root, page), 'utf8').replace(/```[\s\S]*?```/g, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.split('#')[0]!);
  const missing = targets.filter(
    (target) => target !== '' && !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(page), target)),
  );
  expect(missing).toEqual([]);
});

test('every page of docs/ is linked from another page', () => {
  const linked = new Set(
    pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)/g)].map(([, target]) =>
        join(dirname(page), target!),
      ),
    ),
  );
  expect(pages.filter((page) => page.startsWith('docs/') && !linked.has(page))).toEqual([]);
});

test('no entry of the CHANGELOG stands twice, nor in two versions of the same words', () => {
  const entries = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('- '))
    .map((line) => line.slice(2).split(' '));
  const RUN = 14;
  const firstWith = new Map<string, number>();
  const twice: string[] = [];
  for (const [entry, words] of entries.entries()) {
    const runs = words.slice(RUN - 1).map((_, at) => words.slice(at, at + RUN).join(' '));
    for (const key of [`begins: ${words.slice(0, 8).join(' ')}`, ...runs]) {
      const first = firstWith.get(key);
      if (first !== undefined && first !== entry) twice.push(key);
      else firstWith.set(key, entry);
    }
  }
  expect(entries.length).toBeGreaterThan(50);
  expect(twice).toEqual([]);
});

test('the README is a page: at most 120 lines', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(121);
});

const notebooks = readdirSync(join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));
const cellsOf = (name: string) => readNotebookJson(join(root, 'notebooks', name)).cells;

test.each(notebooks)('the code of %s fits the width of a page', (name) => {
  const lines = cellsOf(name).flatMap((cell) =>
    cell.cell_type === 'code' ? sourceText(cell.source).split('\n') : [],
  );
  // a longer one is cut off at the right edge, or has to be scrolled
  expect(lines.filter((line) => line.length > 90)).toEqual([]);
});

test('iteration 22 shows drawn inputs that are a mix: of several rows, and not all alike', () => {
  const shown = cellsOf('22-learning-the-inputs-distribution.ipynb').find((cell) =>
    sourceText(cell.source).includes('showGenerated('),
  )!;
  const [output] = shown.cell_type === 'code' ? shown.outputs : [];
  const text = output && 'data' in output ? sourceText(output.data['text/plain'] as string) : '';
  // a title, then rows of grids that stand side by side, the drawn ones last
  const drawn = text
    .trim()
    .split('\n\n')
    .flatMap((block) => {
      const rows = block
        .split('\n')
        .slice(1)
        .map((row) => row.split(/ {2,}/));
      return rows[0]!.map((_, i) => rows.map((row) => row[i]).join('\n')).slice(-4);
    });
  expect(drawn.length).toBeGreaterThanOrEqual(16);
  expect(drawn.every((grid) => grid.trim().includes('\n'))).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(drawn.length / 2);
});
