/** Every environment variable that arclab reads is on one page. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';

const root = packageRoot();

/** How the sources name a variable that they read. */
const readings = [
  /\b(?:process\.env|env|environment|os\.environ)\.([A-Z][A-Z0-9_]+)/g,
  /\b(?:read\(environment, |of\()'([A-Z][A-Z0-9_]+)'/g,
  /_VARIABLE = '([A-Z][A-Z0-9_]+)'/g,
  /\b(?:rank|size|localRank|localSize): '([A-Z][A-Z0-9_]+)'/g,
  /\bos\.environ(?:\.get\(|\[)["']([A-Z][A-Z0-9_]+)/g,
];
/** `const { A, B: b = 'x' } = process.env`. */
const taken = /\{([^{}]*)\}\s*=\s*(?:process\.env|environment|env)\b/g;

function variablesOf(text: string): string[] {
  return [
    ...readings.flatMap((reading) => [...text.matchAll(reading)].map(([, name]) => name!)),
    ...[...text.matchAll(taken)].flatMap(([, names]) =>
      [...names!.matchAll(/(?:^|,)\s*([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name!),
    ),
  ];
}

test('a reading of a variable is found however it is written', () => {
  const text = `process.env.ONE; const { TWO: x = env.THREE, FOUR } = process.env; read(environment, 'FIVE');
    const A_VARIABLE = 'SIX'; os.environ.get("SEVEN")`;
  expect(variablesOf(text).sort()).toEqual(['FIVE', 'FOUR', 'ONE', 'SEVEN', 'SIX', 'THREE', 'TWO']);
});

test('docs/environment.md lists every variable that arclab reads, and no other of its own', () => {
  const files = ['src', 'kernel', 'templates/kaggle'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sh|njk|py)$/.test(name))
      .map((name) => join(folder, name)),
  );
  const read = new Set(files.flatMap((file) => variablesOf(readFileSync(join(root, file), 'utf8'))));
  const page = readFileSync(join(root, 'docs/environment.md'), 'utf8');
  const documented = new Set(
    [...page.matchAll(/^\| (`[^|]*)\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name!),
    ),
  );
  expect(read.size).toBeGreaterThan(40);
  expect([...read].filter((name) => !documented.has(name))).toEqual([]);
  expect([...documented].filter((name) => !read.has(name))).toEqual([]);
});
