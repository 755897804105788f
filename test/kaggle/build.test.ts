import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { type BuiltNotebook, buildNotebook, writeNotebook } from '../../src/kaggle/build.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { diffNotebook, extractNotebook } from '../../src/kaggle/extract.js';
import { MOST_BYTES } from '../../src/kaggle/size.js';
import { sectionText, splitSections } from '../../src/kaggle/source.js';

let folder: string;
let built: BuiltNotebook;
let path: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-kaggle-'));
  built = await buildNotebook(configDefaults);
  [path = ''] = writeNotebook(built, configDefaults, folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const textOf = (id: string) => {
  const cell = built.notebook.cells.find((candidate) => candidate.id === id);
  return ([] as string[]).concat(cell!.source).join('');
};

describe('a built notebook', () => {
  it('is small enough, as Python counts it', () => {
    const script = `import json, sys
notebook = json.load(open(sys.argv[1]))
for cell in notebook["cells"]:
    cell["source"] = "".join(cell["source"])
print(len(json.dumps(notebook)))`;
    expect(Number(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }))).toBe(built.bytes);
    expect(built.bytes).toBeLessThanOrEqual(MOST_BYTES);
  });

  it('shows what nobody reads as one line', () => {
    const hidden = { '_kg_hide-input': true, jupyter: { source_hidden: true } };
    const metadata = Object.fromEntries(built.notebook.cells.map((cell) => [cell.id, cell.metadata]));
    expect(metadata).toMatchObject({ source: {}, packed: hidden, bootstrap: {} });
    expect(metadata.source).toEqual({});
  });

  it('is the same when it is built again', async () => {
    const again = await buildNotebook(configDefaults);
    expect(JSON.stringify(again.notebook)).toBe(JSON.stringify(built.notebook));
  });

  it('tells no paths of this machine', () => {
    const text = readFileSync(path, 'utf8');
    for (const secret of [packageRoot(), homedir()]) expect(text).not.toContain(secret);
  });

  it('holds readable source of every room from arc to experiments, with its comments', () => {
    const source = textOf('source');
    for (const file of [
      'arc/grid',
      'prompts/grid-encoder',
      'models/decoder',
      'generation/engine',
      'training/loss',
    ])
      expect(source).toContain(`// src/${file}.ts\n`);
    expect(source).toContain('/** ');
    expect(source).not.toMatch(/\/\*!|\/\/!|\/\*\*?@/);
    // each other character costs Kaggle six bytes
    expect(source.replace(/[\x20-\x7e\n]/g, '').length).toBeLessThan(500);
  });

  it('gives comments up before it gives up', async () => {
    const { bytes } = await buildNotebook({ ...configDefaults, leaveOut: ['comments'] });
    expect(bytes).toBeLessThan(built.bytes - 20_000);
  });

  it('says what to leave out when it is too large', async () => {
    const submit = { note: 'x'.repeat(MOST_BYTES) };
    await expect(buildNotebook({ ...configDefaults, submit })).rejects.toThrow(
      /more than the 900000 that are safe \(.*\), even without comments; set "leaveOut": \["torch" or "wasm"\]/,
    );
  });
});

describe('comments', () => {
  it('stay with what they are about, and go with it', () => {
    const [section] = splitSections(
      [
        '// src/a.ts',
        '/*!@gone@*',
        ' * About a function that nobody needs.',
        ' */',
        '/*!@kept@* About one that is needed. */',
        'function kept2() {',
        '  //! why',
        '  return 1;',
        '}',
        '',
      ].join('\n'),
    );
    expect(sectionText(section!, true)).toBe(
      '/** About one that is needed. */\nfunction kept2() {\n  // why\n  return 1;\n}',
    );
    expect(sectionText(section!, false)).toBe('function kept2() {\n  return 1;\n}');
  });
});

/** Writes a copy of the notebook with another source. */
function edited(name: string, change: (source: string) => string): string {
  const notebook = structuredClone(built.notebook);
  const cell = notebook.cells.find(({ id }) => id === 'source')!;
  cell.source = change(textOf('source'));
  const copy = join(folder, name);
  writeFileSync(copy, JSON.stringify(notebook));
  return copy;
}

describe('extract and diff', () => {
  it('give the source back', async () => {
    const extracted = await extractNotebook(path);
    expect(extracted).toMatchObject({ source: built.source, edited: false, current: true });
    expect(extracted.manifest.config).toEqual(configDefaults);
    expect(await diffNotebook(path)).toEqual({ modules: [], lines: '', packed: [] });
  });

  it('tell what was edited in the notebook', async () => {
    const copy = edited('edited.ipynb', (source) => {
      expect(source).toContain('LONGEST_FORCED_TEXT = 4096;');
      return source.replace('LONGEST_FORCED_TEXT = 4096;', 'LONGEST_FORCED_TEXT = 17;');
    });
    expect(await extractNotebook(copy)).toMatchObject({ edited: true, current: false });
    const { modules, lines } = await diffNotebook(copy);
    expect(modules).toEqual(['src/generation/constraint.ts']);
    expect(lines).toContain('-var LONGEST_FORCED_TEXT = 17;\n+var LONGEST_FORCED_TEXT = 4096;');
  });

  it('say that a notebook is cut off, or is another one', async () => {
    const cut = edited('cut.ipynb', (source) => source.slice(0, 10_000));
    await expect(extractNotebook(cut)).rejects.toThrow('cut off');
    const other = edited('other.ipynb', () => 'print(1)');
    await expect(extractNotebook(other)).rejects.toThrow('not made by arclab kaggle build');
  });
});
