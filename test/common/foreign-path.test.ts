import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiskFolder } from '../../src/common/disk-folder.js';
import { UserError } from '../../src/common/errors.js';
import { fileNameOf, pathBelow, writablePathBelow } from '../../src/common/foreign-path.js';
import { findNotebook } from '../../src/kaggle/verify.js';
import { parseConfig } from '../../src/models/config.js';
import { ModelCache } from '../../src/models/hub-cache.js';
import { ModelWeights } from '../../src/models/weights.js';
import { temporaryFolder } from '../training/temporary.js';
import { hostileNames } from './hostile-names.js';

describe('pathBelow', () => {
  it.each(hostileNames.map((name) => [name]))('refuses %j', (name) => {
    expect(() => pathBelow('folder', name, 'x.json')).toThrow(UserError);
    expect(() => pathBelow('folder', name, 'x.json')).toThrow(/^x\.json: expected the name of a file inside/);
    expect(() => fileNameOf(name, 'x.json')).toThrow(UserError);
  });

  it('takes names in folders, and names that only look dangerous', () => {
    expect(pathBelow('folder', 'src/arc/grid.ts', '')).toBe(join('folder', 'src', 'arc', 'grid.ts'));
    for (const name of ['..a', 'a..', '...', '.hidden', 'a b', 'ü', 'console', 'nullable.json']) {
      expect(pathBelow('folder', name, '')).toBe(join('folder', name));
    }
    expect(() => fileNameOf('a/b', 'x.json')).toThrow('expected a name without "/", found "a/b"');
  });

  it('never leaves the folder, whatever the name', () => {
    const parts = fc.oneof(fc.constantFrom('..', '.', '', '/', 'C:', '\\', '\0', 'a'), fc.string());
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 5 }), fc.constantFrom('/', '\\', ''), (names, separator) => {
        let path: string;
        try {
          path = pathBelow('/folder', names.join(separator), '');
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          return;
        }
        const below = relative('/folder', path);
        expect(below === '' || below === '..' || below.startsWith(`..${sep}`)).toBe(false);
      }),
    );
  });
});

describe('writablePathBelow', () => {
  it('refuses what a link leads out of the folder, also a link to nothing', () => {
    const folder = temporaryFolder();
    const inside = join(folder, 'inside');
    mkdirSync(join(inside, 'real'), { recursive: true });
    symlinkSync(folder, join(inside, 'out'));
    symlinkSync(join(folder, 'nothing'), join(inside, 'dangling'));
    symlinkSync(join(inside, 'real'), join(inside, 'within'));
    for (const name of ['out/x', 'out/new/x', 'out', 'dangling', 'dangling/x']) {
      expect(() => writablePathBelow(inside, name, 'a.ipynb'), name).toThrow('through a link');
    }
    for (const name of ['x', 'real/x', 'within/x', 'new/folder/x']) {
      expect(writablePathBelow(inside, name, 'a.ipynb')).toBe(join(inside, name));
    }
    expect(writablePathBelow(join(folder, 'not/yet'), 'a/b', '')).toBe(join(folder, 'not/yet/a/b'));
  });
});

const tinyConfig = parseConfig(
  {
    ...{ model_type: 'llama', vocab_size: 8, hidden_size: 4, intermediate_size: 4 },
    ...{ num_hidden_layers: 1, num_attention_heads: 1 },
  },
  'a test',
);

const refusal = /: expected the name of a file inside a folder/;

describe.each(hostileNames.map((name) => [name]))('a reader that is told the name %j', (name) => {
  it('opens no file outside of the folder for an index of shards', () => {
    const folder = temporaryFolder();
    const index = join(folder, 'model.safetensors.index.json');
    writeFileSync(index, JSON.stringify({ weight_map: { 'model.norm.weight': name } }));
    expect(() => new ModelWeights(new DiskFolder(folder), tinyConfig)).toThrow(refusal);
  });

  it('writes no link, blob or reference outside of the cache of models', () => {
    const folder = temporaryFolder();
    const cache = new ModelCache(join(folder, 'hub'), 'org/model');
    expect(() => cache.link(name, 'config.json', 'abc')).toThrow(refusal);
    expect(() => cache.link('abc', name, 'abc')).toThrow(refusal);
    expect(() => cache.link('abc', 'config.json', name)).toThrow(refusal);
    expect(() => cache.writeRef(name, 'abc')).toThrow(refusal);
    expect(existsSync(join(folder, 'evil'))).toBe(false);
    expect(readdirSync(folder).filter((entry) => entry !== 'hub')).toEqual([]);
  });
});

// with the ending that Kaggle asks for, the other names are good ones
const hostileNotebooks = hostileNames.filter((name) => !['', '.', '..'].includes(name));
it.each(hostileNotebooks.map((name) => [`${name}.ipynb`]))(
  'no notebook outside of the folder that was built is read: %j',
  (name) => {
    const folder = temporaryFolder();
    const metadata = {
      ...{ id: 'me/my-notebook', title: 'my notebook', code_file: name, language: 'python' },
      ...{ kernel_type: 'notebook', is_private: true, enable_internet: false },
    };
    writeFileSync(join(folder, 'kernel-metadata.json'), JSON.stringify(metadata));
    expect(() => findNotebook(folder)).toThrow(refusal);
  },
);
