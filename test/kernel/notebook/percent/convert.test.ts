import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  assertPair,
  notebookToScript,
  scriptToNotebook,
} from '../../../../kernel/notebook/percent/convert.js';
import { notebook } from '../arbitraries.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-percent-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [ipynb, ts] = [join(folder, 'a.ipynb'), join(folder, 'a.ts')];
beforeEach(() => {
  for (const file of [ipynb, ts]) rmSync(file, { force: true });
});
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const convert = (path: string) => {
  if (path === ts) writeFileSync(ipynb, scriptToNotebook(ts, ipynb, true));
  else writeFileSync(ts, notebookToScript(ipynb, true));
};

describe('a notebook and its script', () => {
  it('give each other back, outputs and ids included', () => {
    fc.assert(
      fc.property(notebook, (given) => {
        writeFileSync(
          ipynb,
          JSON.stringify({ ...given, metadata: { ...given.metadata, jupytext: { formats: 'ipynb,ts' } } }),
        );
        convert(ipynb);
        const before = readFileSync(ipynb, 'utf8');
        const { kernelspec, ...metadata } = JSON.parse(scriptToNotebook(ts, ipynb, true)).metadata;
        expect(kernelspec.name).toBe('arclab');
        expect({ ...JSON.parse(scriptToNotebook(ts, ipynb, true)), metadata }).toEqual(
          normal(JSON.parse(before)),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('keep outputs of cells that have not changed, and ids and attachments of those that have', () => {
    const code = (id: string, source: string, text: string) => ({
      cell_type: 'code',
      id,
      metadata: { scrolled: true },
      source: [source],
      execution_count: 1,
      outputs: [{ output_type: 'stream', name: 'stdout', text: [text] }],
    });
    const picture = { cell_type: 'markdown', id: 'text', metadata: {}, source: ['![x](attachment:x.png)'] };
    const cells = [
      code('first', 'a', '1'),
      { ...picture, attachments: { 'x.png': { 'image/png': 'AA==' } } },
      code('second', 'b', '2'),
      code('third', 'c', '3'),
    ];
    const kernelspec = { name: 'arclab', display_name: 'x', language: 'typescript' };
    const language_info = { name: 'typescript', version: '20' };
    writeFileSync(
      ipynb,
      JSON.stringify({ cells, metadata: { kernelspec, language_info }, nbformat: 4, nbformat_minor: 5 }),
    );
    convert(ipynb);
    const script = readFileSync(ts, 'utf8');
    writeFileSync(
      ts,
      script
        .replace('\nb\n', '\nb + 1\n')
        .replace('// ![x]', '// ![y]')
        .replace('// %%\nc', '// %%\nnew\n\n// %%\nc'),
    );
    convert(ts);
    const { cells: after, metadata } = read(ipynb);
    expect(metadata.language_info).toEqual(language_info);
    expect(after.map((cell: { id: string }) => cell.id)).toEqual([
      'first',
      'text',
      'second',
      expect.any(String),
      'third',
    ]);
    expect(after[0]).toEqual(cells[0]);
    expect(after[1]).toMatchObject({ attachments: { 'x.png': {} }, source: ['![y](attachment:x.png)'] });
    expect(after[2]).toMatchObject({ outputs: [], execution_count: null, metadata: { scrolled: true } });
    expect(after[3]).toMatchObject({ source: ['new'], outputs: [] });
    expect(after[4]).toEqual(cells[3]);
    // nothing is new, so nothing is written otherwise
    writeFileSync(ipynb, `${JSON.stringify(read(ipynb))}   \n`);
    const text = readFileSync(ipynb, 'utf8');
    convert(ts);
    expect(readFileSync(ipynb, 'utf8')).toBe(text);
  });

  it('are not written over by files that are not theirs', () => {
    writeFileSync(ts, '// %%\n1\n');
    writeFileSync(ipynb, JSON.stringify({ cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    expect(() => assertPair(ts, ipynb, false)).toThrow(
      'a.ipynb exists, and does not say that it belongs to a.ts; --force',
    );
    expect(() => assertPair(ipynb, ts, false)).toThrow('--force');
    assertPair(ts, ipynb, true);
    convert(ts);
    assertPair(ts, ipynb, false);
    assertPair(ipynb, ts, false);
    expect(() => assertPair(ts, join(folder, 'a.ipynb.ipynb'), false)).not.toThrow();
  });

  it('of another language are refused', () => {
    const kernelspec = { name: 'python3', display_name: 'Python', language: 'python' };
    writeFileSync(
      ipynb,
      JSON.stringify({ cells: [], metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }),
    );
    expect(() => notebookToScript(ipynb, true)).toThrow('its language is python, and .ts is for TypeScript');
  });

  it('with metadata that no notebook has are refused by their place', () => {
    writeFileSync(ts, '// %% tags="x"\n1\n');
    expect(() => scriptToNotebook(ts, ipynb, true)).toThrow(
      'a.ts: not a notebook of nbformat 4.5: at /cells/0/metadata/tags',
    );
  });
});

/** Sources as lines, and without the metadata that a script does not have and a run makes. */
function normal(given: { cells: { source: string[] | string }[] }) {
  const lines = (source: string[] | string) =>
    [source]
      .flat()
      .join('')
      .split(/(?<=\n)/)
      .filter(Boolean);
  return {
    ...given,
    metadata: { ...(given as { metadata?: object }).metadata, jupytext: { formats: 'ipynb,ts' } },
    cells: given.cells.map((cell) => ({ ...cell, source: lines(cell.source) })),
  };
}
