import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { base92, compress, decompress, fromBase92 } from '../../src/kaggle/archive.js';
import { notebookFile, pythonJson } from '../../src/kaggle/notebook.js';
import { pythonWith } from '../prerequisites/index.js';

const interpreter = pythonWith();
const itInPython = it.skipIf(interpreter === undefined);

/** Runs Python, whose standard library is what reads these formats on Kaggle. */
const python = (script: string, input: string | Uint8Array): Buffer =>
  execFileSync(interpreter!, ['-c', `import sys, base64, json, lzma, math, tarfile, io\n${script}`], {
    input,
  });
describe('base92', () => {
  const bytes = fc.uint8Array({ maxLength: 100 });

  /** The bootstrap cell's own decoder. */
  const decoder = () => {
    const text = readFileSync(join(packageRoot(), 'templates/kaggle/bootstrap.py.njk'), 'utf8');
    const [, body] = /^(def unbase92[\s\S]*?)\n\n\n/m.exec(text)!;
    return body!;
  };

  itInPython('is what the bootstrap cell reads', () => {
    const samples = fc.sample(bytes, { numRuns: 60, seed: 4 });
    samples.push(...Array.from({ length: 46 }, (_, n) => new Uint8Array(n).fill(255)));
    const script = `${decoder()}
print(json.dumps([list(unbase92(text)) for text in json.load(sys.stdin)]))`;
    const read = python(script, JSON.stringify(samples.map((sample) => base92(sample))));
    expect(JSON.parse(read.toString())).toEqual(samples.map((sample) => [...sample]));
  });

  it('has an inverse, and JSON writes it as it is', () => {
    fc.assert(
      fc.property(bytes, (sample) => {
        const text = base92(sample);
        expect([...fromBase92(text)]).toEqual([...sample]);
        expect(JSON.stringify(text)).toBe(`"${text}"`);
      }),
    );
  });

  it('takes 27 characters for 22 bytes', () => {
    expect(base92(new Uint8Array(2200).fill(255)).length).toBe(2700);
  });

  it.each([
    ['ab"cd', 'the character "\\"" is not part of it'],
    ['~'.repeat(27), 'damaged'],
    ['!', 'damaged'],
  ])('refuses %s', (text, message) => {
    expect(() => fromBase92(text)).toThrow(message);
  });
});

describe('compress', () => {
  const files = new Map(
    ['package.json', 'packed/a.mjs', 'packed/vendor/@x/y.mjs', 'koffi.node'].map((name, i) => [
      name,
      Buffer.from(Array.from({ length: 5000 * i + 1 }, (_, j) => (j * j) % 251)),
    ]),
  );

  itInPython('makes what Python unpacks', async () => {
    const archive = await compress(files);
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

  it('is always the same', async () => {
    expect(Buffer.compare(await compress(files), await compress(files))).toBe(0);
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
  itInPython('is what json.dumps writes', () => {
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
