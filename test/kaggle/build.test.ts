import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { base92, compress } from '../../src/kaggle/archive.js';
import { type BuiltNotebook, buildNotebook, writeNotebook } from '../../src/kaggle/build.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { diffNotebook, extractNotebook } from '../../src/kaggle/extract.js';
import { renderCells } from '../../src/kaggle/render.js';
import { MOST_BYTES } from '../../src/kaggle/size.js';
import {
  assertSameCode,
  bundleSource,
  END_OF_SOURCE,
  sectionText,
  sourceText,
  splitSections,
} from '../../src/kaggle/source.js';
import { hostileKinds } from '../common/hostile-names.js';
import { pythonWith } from '../prerequisites/index.js';

/** Bytes for what a notebook holds today; above it a build works, and the next feature may not fit. */
const ROOM = 880_000;

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
  it('leaves room for what is to come', () => {
    expect(built.bytes).toBeLessThanOrEqual(ROOM);
  });

  const python = pythonWith();
  it.skipIf(python === undefined)('has the size that Python counts', () => {
    const script = `import json, sys
notebook = json.load(open(sys.argv[1]))
for cell in notebook["cells"]:
    cell["source"] = "".join(cell["source"])
print(len(json.dumps(notebook)))`;
    expect(Number(execFileSync(python!, ['-c', script, path], { encoding: 'utf8' }))).toBe(built.bytes);
  });

  it('shows what nobody reads as one line', () => {
    const hidden = { '_kg_hide-input': true, jupyter: { source_hidden: true } };
    const metadata = Object.fromEntries(built.notebook.cells.map((cell) => [cell.id, cell.metadata]));
    for (const id of ['fallback', 'source', 'packed', 'session', 'bootstrap'])
      expect(metadata[id], id).toEqual(hidden);
    expect(metadata['experiment-1']).toEqual({});
  });

  it('is the same when it is built again', async () => {
    const again = await buildNotebook(configDefaults);
    expect(JSON.stringify(again.notebook)).toBe(JSON.stringify(built.notebook));
  });

  it('is written in ASCII, which every locale reads', () => {
    const written = readFileSync(path);
    expect(written.every((byte) => byte < 128)).toBe(true);
    expect(JSON.parse(written.toString('latin1'))).toEqual(built.notebook);
    expect(JSON.stringify(built.notebook)).not.toMatch(/^[\x20-\x7e]*$/);
  });

  it('tells no paths of this machine', () => {
    const text = readFileSync(path, 'utf8');
    for (const secret of [packageRoot(), homedir()]) expect(text).not.toContain(secret);
  });

  it('holds readable source of every folder from arc to submit but for the model and its decoding, with its comments', () => {
    const source = textOf('source');
    for (const file of [
      'arc/grid',
      'prompts/grid-encoder',
      'session/search-input',
      'training/trainer',
      'submit/dispatch',
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

describe('the code of the source', () => {
  /** What a build makes of one file, with its comments and without. */
  async function texts(code: string): Promise<{ root: string; texts: string[] }> {
    const root = mkdtempSync(join(tmpdir(), 'arclab-source-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    mkdirSync(join(root, 'src/arc'), { recursive: true });
    writeFileSync(join(root, 'src/arc/one.ts'), code);
    const { sections } = await bundleSource(root, 'src/arc/one.ts');
    return { root, texts: [['arc'], []].map((folders) => sourceText(sections, new Set(folders))) };
  }

  it('is that of the repository, with comments and without', async () => {
    const plain = await texts(
      '/** Why. */\nexport const one = (): number => {\n  // what\n  return 1;\n};\n',
    );
    expect(plain.texts[0]).toContain('// what');
    expect(plain.texts[1]).not.toContain('what');
    await expect(assertSameCode(plain.root, 'src/arc/one.ts', plain.texts)).resolves.toBeUndefined();
  });

  it('is missed where a text looks like a comment', async () => {
    const quoted = await texts('export const one = `\n// no comment\n`;\n');
    await expect(assertSameCode(quoted.root, 'src/arc/one.ts', quoted.texts)).rejects.toThrow(
      /^the readable source is not the code of the repository at ".*one.*": a text that looks like a comment/,
    );
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
  it('writes nothing outside of its own folder where a heading in the source names a path', async () => {
    const copy = join(folder, 'hostile.ipynb');
    const target = join(folder, 'evil.txt');
    for (const name of ['../'.repeat(20) + target.slice(1), ...hostileKinds.map((kind) => `a/${kind}`)]) {
      const notebook = JSON.parse(readFileSync(path, 'utf8'));
      const cell = notebook.cells.find(({ id }: { id: string }) => id === 'source');
      const [first = '', ...lines] = ([] as string[]).concat(cell.source).join('').split('\n');
      cell.source = [first, `// src/${name}`, 'const inserted = 1;', '', ...lines].join('\n');
      writeFileSync(copy, JSON.stringify(notebook));
      await expect(diffNotebook(copy)).rejects.toThrow(
        'the source cell: expected the name of a file inside a folder',
      );
      expect(existsSync(target)).toBe(false);
    }
  });

  it('reads nothing outside of the repository where the manifest names a path, and takes no other manifest', async () => {
    const copy = join(folder, 'manifest.ipynb');
    const diff = async (manifest: unknown) => {
      const notebook = JSON.parse(readFileSync(path, 'utf8'));
      const cell = notebook.cells.find(({ id }: { id: string }) => id === 'packed');
      const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
      cell.source = `%%writefile arclab.b92\n${base92(await compress(new Map([['manifest.json', Buffer.from(text)]])))}\n`;
      writeFileSync(copy, JSON.stringify(notebook));
      return diffNotebook(copy);
    };
    for (const name of hostileKinds) {
      await expect(diff({ ...built.manifest, files: { [name]: 'abc' } })).rejects.toThrow(
        'manifest.json: expected the name of a file inside a folder',
      );
    }
    await expect(diff({ ...built.manifest, files: null })).rejects.toThrow(
      /manifest\.json: not what a notebook says it was made of: at \/files: must be object/,
    );
    await expect(diff('{')).rejects.toThrow('manifest.json: not valid JSON');
    expect((await diff({ ...built.manifest, files: { 'src/none.ts': 'abc' } })).packed).toEqual([
      'src/none.ts',
    ]);
  });

  it('give the source back', async () => {
    const extracted = await extractNotebook(path);
    expect(extracted).toMatchObject({ source: built.source, edited: false, current: true });
    expect(extracted.manifest.config).toEqual(configDefaults);
    expect(await diffNotebook(path)).toEqual({ modules: [], lines: '', packed: [] });
  });

  it('tell what was edited in the notebook', async () => {
    const copy = edited('edited.ipynb', (source) => {
      expect(source).toContain('TRIED_FIRST = 4;');
      return source.replace('TRIED_FIRST = 4;', 'TRIED_FIRST = 17;');
    });
    expect(await extractNotebook(copy)).toMatchObject({ edited: true, current: false });
    const { modules, lines } = await diffNotebook(copy);
    expect(modules).toEqual(['src/session/candidate-pool.ts']);
    expect(lines).toContain('-var TRIED_FIRST = 17;\n+var TRIED_FIRST = 4;');
  });

  it('say that a notebook is cut off, or is another one', async () => {
    const cut = edited('cut.ipynb', (source) => source.slice(0, 10_000));
    await expect(extractNotebook(cut)).rejects.toThrow('cut off');
    const other = edited('other.ipynb', () => 'print(1)');
    await expect(extractNotebook(other)).rejects.toThrow('not made by arclab kaggle build');
  });
});

it('takes a prompt template along, in the cells and for the submission alone', () => {
  const template = join(folder, 'mine.jinja');
  const text =
    '{% set user %}{{ train | length }} "{{ test }}"{% endset %}{% set assistant %}{{ answer }}{% endset %}';
  writeFileSync(template, text);
  const config = { ...configDefaults, submit: { recipe: 'search', promptVersion: template } };
  const facts = {
    bundle: 'b',
    commit: 'c',
    packed: 'p',
    packedLength: 1,
    endOfSource: END_OF_SOURCE,
  } as const;
  const about = { version: '1', date: '', dirty: false, packages: [], packedFolders: [], natives: [] };
  const code = (given: typeof configDefaults) =>
    renderCells(given, facts, about, 'source', 'packed')
      .filter(({ id }) => id.startsWith('experiment'))
      .map(({ source }) => source)
      .join('\n');
  expect(code(config)).toContain(`writeFileSync(promptVersion, ${JSON.stringify(text)});`);
  expect(code(config)).not.toContain(folder);
  expect(code(config)).toMatch(/\.\.\.options,\n {2}promptVersion,\n {2}timeBudget,/);
  expect(code(configDefaults)).not.toContain('prompt.jinja');
});
