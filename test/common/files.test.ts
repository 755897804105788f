import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { assertWritableFolder, readJson, writeFileAtomic } from '../../src/common/files.js';
import { compileSchema } from '../../src/common/schema.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('makes folders, replaces a file, and leaves nothing else behind', () => {
    const path = join(folder, 'a', 'b.txt');
    writeFileAtomic(path, 'old');
    writeFileAtomic(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(join(folder, 'a'))).toEqual(['b.txt']);
  });

  it('leaves what was there, and no temporary file, when it cannot write', () => {
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken', 'file'), 'kept');
    expect(() => writeFileAtomic(join(folder, 'taken'), 'new')).toThrow();
    expect(readdirSync(folder)).toEqual(['taken']);
    expect(readFileSync(join(folder, 'taken', 'file'), 'utf8')).toBe('kept');
  });
});

describe('readJson', () => {
  it('reads a file with a byte order mark', () => {
    writeFileSync(join(folder, 'a.json'), '\uFEFF{"a": 1}');
    expect(readJson(join(folder, 'a.json'))).toEqual({ a: 1 });
  });

  it.each([
    ['absent.json', undefined, 'cannot read a model: no such file'],
    ['.', undefined, 'cannot read a model: it is a folder'],
    ['words.json', 'no\njson\n', 'expected a model, but it is not valid JSON: '],
    ['half.json', '{"a": [1,\n', 'expected a model, but it is not valid JSON: '],
    ['nan.json', '{"a": NaN,\n\n"b": 1}', 'NaN, "b": 1'],
  ])('says in one line what is wrong with %s', (name, content, message) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    const run = () => readJson(path, 'a model');
    expect(run).toThrow(UserError);
    expect(run).toThrow(message);
    expect(run).toThrow(new RegExp(`^${path.replaceAll('.', '\\.')}: [^\\n\\r]*$`));
  });
});

describe('assertWritableFolder', () => {
  it('takes a folder that can be made, and makes nothing', () => {
    assertWritableFolder(join(folder, 'a', 'b'), '--output_dir');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a file system that takes no files, without looking for ever', () => {
    const run = () => assertWritableFolder('/proc/arclab/models', '--output_dir');
    expect(run).toThrow('--output_dir: cannot write to /proc/arclab/models: ');
  });

  it('names the flag and the path of one that cannot be written', () => {
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'models');
    const run = () => assertWritableFolder(path, '--output_dir');
    expect(run).toThrow(UserError);
    expect(run).toThrow(`--output_dir: cannot write to ${path}: `);
  });
});

describe('compileSchema', () => {
  const check = compileSchema<object>(
    {
      type: 'object',
      required: ['size'],
      additionalProperties: false,
      properties: { size: { enum: ['small', 'large'] }, names: { type: 'array', items: { type: 'string' } } },
    },
    'a box',
  );

  it.each<[unknown, string]>([
    [3, 'box.json: not a box: at the top level: must be object, found 3'],
    [{}, "at the top level: must have required property 'size', found {}"],
    [{ size: 'huge' }, 'at /size: must be one of small, large, found "huge"'],
    [{ size: 'small', names: ['a', 1] }, 'at /names/1: must be string, found 1'],
    [{ size: 'small', colour: 1 }, 'at the top level: must not have the property "colour", found {"size"'],
    [
      { size: 'small', nmaes: [] },
      'must not have the property "nmaes" (did you mean "names"?), found {"size"',
    ],
    [{ size: 'x'.repeat(100) }, `found "${'x'.repeat(56)}...`],
  ])('of %j names the place, what was expected and what was found', (value, message) => {
    expect(() => check(value, 'box.json')).toThrow(UserError);
    expect(() => check(value, 'box.json')).toThrow(message);
  });

  it('returns what it checked', () => {
    const box = { size: 'small' };
    expect(check(box, 'box.json')).toBe(box);
  });
});
