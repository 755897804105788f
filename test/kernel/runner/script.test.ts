import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { runNotebook } from '../../../kernel/runner/index.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-script-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [ipynb, ts] = [join(folder, 'a.ipynb'), join(folder, 'a.ts')];
beforeEach(() => {
  for (const file of [ipynb, ts]) rmSync(file, { force: true });
});
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

describe('a script is run', { timeout: 60_000 }, () => {
  it('and its notebook has the outputs', async () => {
    const text =
      '// %% [markdown]\n// # Sum\n\n// %%\nconst a: number = 20;\n\n// %% tags=["last"]\nconsole.log(a + 1); a + 22\n';
    writeFileSync(ts, text);
    const { path, failures, ran } = await runNotebook({ path: ts });
    expect([path, failures, ran]).toEqual([ipynb, [], 2]);
    expect(readFileSync(ts, 'utf8')).toBe(text);
    const { cells, metadata } = read(ipynb);
    expect(metadata).toMatchObject({
      kernelspec: { name: 'arclab' },
      jupytext: { formats: 'ipynb,ts:percent' },
    });
    expect(cells[2].metadata).toEqual({ tags: ['last'] });
    expect(cells[2].outputs).toMatchObject([
      { output_type: 'stream', text: ['21\n'] },
      { output_type: 'execute_result', data: { 'text/plain': ['42'] } },
    ]);
    // one cell alone, edited: the others keep what they have shown
    writeFileSync(ts, text.replace('a + 22', 'a'));
    await runNotebook({ path: ts, cells: { first: 2, last: 2 } });
    expect(read(ipynb).cells[2].outputs).toEqual([]);
    expect(read(ipynb).cells[1].execution_count).toBe(1);
  });

  it('in another place, and not over a notebook of somebody else', async () => {
    writeFileSync(ts, '1 + 1\n');
    writeFileSync(ipynb, JSON.stringify({ cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    await expect(runNotebook({ path: ts })).rejects.toThrow(
      'a.ipynb exists, and does not say that it belongs to a.ts',
    );
    await expect(runNotebook({ path: ts, output: join(folder, 'b.ts') })).rejects.toThrow(
      'expected a name that ends in .ipynb',
    );
    const { path } = await runNotebook({ path: ts, output: join(folder, 'b.ipynb') });
    expect(read(path).cells[0].outputs[0].data['text/plain']).toEqual(['2']);
    expect(read(path).metadata.jupytext).toBeUndefined();
  });
});
