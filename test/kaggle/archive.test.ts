import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { base85, compress, decompress, fromBase85 } from '../../src/kaggle/archive.js';
import { notebookFile, pythonJson } from '../../src/kaggle/notebook.js';

/** Runs Python, whose standard library is what reads these formats on Kaggle. */
const python = (script: string, input: string | Uint8Array): Buffer =>
  execFileSync('python3', ['-c', `import sys, base64, json, lzma, tarfile, io\n${script}`], { input });

describe('base85', () => {
  it('is what Python writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = python('sys.stdout.buffer.write(base64.b85encode(sys.stdin.buffer.read()))', bytes);
        expect(base85(bytes)).toBe(text.toString());
      }),
      { numRuns: 12 },
    );
  });

  it('has an inverse', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect([...fromBase85(base85(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  it('refuses other characters', () => {
    expect(() => fromBase85('ab"cd')).toThrow('the character "\\"" is not part of it');
  });
});

describe('compress', () => {
  const files = new Map(
    ['package.json', 'packed/a.mjs', 'packed/vendor/@x/y.mjs', 'koffi.node'].map((name, i) => [
      name,
      Buffer.from(Array.from({ length: 5000 * i + 1 }, (_, j) => (j * j) % 251)),
    ]),
  );

  it('makes what Python unpacks, always the same', async () => {
    const archive = await compress(files);
    expect(Buffer.compare(archive, await compress(files))).toBe(0);
    const folder = mkdtempSync(join(tmpdir(), 'arclab-archive-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'a.tar.xz'), archive);
    const read = python(
      `with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()), mode="r:xz") as archive:
    found = {m.name: base64.b64encode(archive.extractfile(m).read()).decode() for m in archive if m.isfile()}
print(json.dumps(found))`,
      archive,
    );
    const expected = Object.fromEntries([...files].map(([name, data]) => [name, data.toString('base64')]));
    expect(JSON.parse(read.toString())).toEqual(expected);
  });

  it('has an inverse, which tells damage', async () => {
    const archive = await compress(files);
    const back = await decompress(archive);
    expect([...back.keys()].sort()).toEqual([...files.keys()].sort());
    for (const [name, data] of files) expect(Buffer.compare(back.get(name)!, data)).toBe(0);
    await expect(decompress(archive.slice(0, 500))).rejects.toThrow('damaged');
  });
});

describe('pythonJson', () => {
  it('is what json.dumps writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), (value) => {
        // numbers are written differently, and a notebook has small whole ones only
        const plain = JSON.parse(JSON.stringify(value, (_, x) => (typeof x === 'number' ? 7 : x)));
        const text = python('sys.stdout.write(json.dumps(json.load(sys.stdin)))', JSON.stringify(plain));
        expect(pythonJson(plain)).toBe(text.toString());
      }),
      { numRuns: 15 },
    );
  });
});

describe('notebookFile', () => {
  it('refuses what is no notebook', () => {
    expect(() => notebookFile([{ id: 'a b', type: 'code', source: '' }], {})).toThrow('/cells/0/id');
  });
});
