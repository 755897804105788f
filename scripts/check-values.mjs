// Shows values of libraries as they are published on npm, each in a cell of the kernel, and looks what a notebook gets.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = 'jsdom@24 linkedom@0.18 @observablehq/plot@0.6 arquero@5 apache-arrow@17 vega-lite-api@6';
const natives = '@napi-rs/canvas@1 @duckdb/node-api';
const dots = 'marks: [Plot.dot([[1, 2], [3, 4]])]';
/** @type {[string, string, RegExp][]} the code of a cell, a type of its result, and what that holds */
const cases = [
  [
    `import * as Plot from '@observablehq/plot'; import { JSDOM } from 'jsdom'
Plot.plot({ document: new JSDOM('').window.document, ${dots} })`,
    'image/svg+xml',
    /^<svg [^>]*xmlns="[\s\S]*<circle/,
  ],
  [
    `import { parseHTML } from 'linkedom'; Plot.plot({ document: parseHTML('<p></p>').document, ${dots} })`,
    'image/svg+xml',
    /^<svg [^>]*xmlns="[\s\S]*<circle/,
  ],
  ["import * as aq from 'arquero'; aq.table({ a: [1, 2], b: ['x', 'y'] })", 'text/html', /<td[^>]*>y<\/td>/],
  ["aq.table({ a: [1, 2], b: ['x', 'y'] })", 'text/plain', /^a {2}b\n.*\n1 {2}x\n2 {2}y$/],
  [
    "import { tableFromArrays } from 'apache-arrow'; tableFromArrays({ a: Int32Array.of(1, 2), b: ['x', 'y'] })",
    'text/plain',
    /\n1 {2}x\n2 {2}y$/,
  ],
  [
    `import { DuckDBInstance } from '@duckdb/node-api'; const db = await (await DuckDBInstance.create()).connect()
await db.runAndReadAll("select 1 as a, 'x' as b")`,
    'text/plain',
    /\n1 {2}x$/,
  ],
  [
    "import * as vl from 'vega-lite-api'; vl.markBar().data([{ a: 1 }])",
    'application/vnd.vegalite.v5+json',
    /bar/,
  ],
  ["import { createCanvas } from '@napi-rs/canvas'; createCanvas(4, 3)", 'image/png', /^iVBORw0KGgo/],
];

const folder = mkdtempSync(join(tmpdir(), 'arclab-values-'));
try {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const install = ['install', '--no-audit', '--no-fund', '--silent', ...`${packages} ${natives}`.split(' ')];
  execFileSync('npm', install, { cwd: folder, stdio: 'inherit' });
  const cells = cases.map(([source]) => {
    return { cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source };
  });
  const notebook = { cells, metadata: {}, nbformat: 4, nbformat_minor: 4 };
  writeFileSync(join(folder, 'a.ipynb'), JSON.stringify(notebook));
  const cli = join(dirname(fileURLToPath(import.meta.url)), '../dist/arclab.cjs');
  execFileSync(process.execPath, [cli, 'run', 'a.ipynb', '--kernel', 'arclab'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ran = JSON.parse(readFileSync(join(folder, 'a.ipynb'), 'utf8')).cells;
  for (const [i, [code, type, expected]] of cases.entries()) {
    const content = ran[i].outputs.at(-1)?.data?.[type];
    const text = Array.isArray(content)
      ? content.join('')
      : typeof content === 'string'
        ? content
        : JSON.stringify(content);
    if (!expected.test(text ?? ''))
      throw new Error(`${code}\nexpected ${type} with ${expected}, found ${text}`);
  }
  process.stdout.write(`${cases.length} values of libraries are shown\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
