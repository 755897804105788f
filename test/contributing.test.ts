/** CONTRIBUTING.md: its examples are code of the repository, and what it says of files holds for all of their kind. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/common/files.js';
import { families } from '../src/models/families/index.js';

const root = packageRoot();
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const guide = read('CONTRIBUTING.md');

/** Every block of code with the last file that is named before it. */
const examples = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(({ 1: code, index }) => ({
  code: code!,
  file: [...guide.slice(0, index).matchAll(/`(src\/[\w/.-]+\.ts)`/g)].at(-1)![1]!,
}));

test('every way to add something has an example', () => {
  const sections = guide.split(/^## /m).slice(1);
  expect(sections.map((section) => section.split('\n')[0])).toEqual([
    'An option',
    'A prompt kind',
    'A family of models',
    'An operation of tensors',
    'A command',
  ]);
  expect(sections.filter((section) => !section.includes('```ts'))).toEqual([]);
});

test.each(examples)('the example of $file is in it', ({ file, code }) => {
  expect(read(file)).toContain(code);
});

/** Files of src/ with a word in them. */
const filesWith = (word: RegExp) =>
  readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && word.test(read(join('src', path))))
    .sort();

test('an option of decoding is in two files', () => {
  expect(filesWith(/\bminP\b/)).toEqual(['generation/choice.ts', 'options/decoding.ts']);
});

test('a family of models is a file, a line and a fixture', () => {
  const files = readdirSync(join(root, 'src/models/families')).filter(
    (name) => !['index.ts', 'family.ts', 'rope.ts', 'windows.ts'].includes(name),
  );
  expect(files.sort()).toEqual(families.map(({ modelType }) => `${modelType}.ts`).sort());
  const without = families.filter(
    ({ modelType }) => !existsSync(join(root, 'test/parity/fixtures', modelType)),
  );
  expect(without).toEqual([]);
});

test('an operation is a folder, and a line for each of its files', () => {
  const ops = 'src/tensors/ops';
  const lists = {
    torch: read(`${ops}/torch.ts`),
    wasm: read(`${ops}/wasm.ts`),
    index: read(`${ops}/index.ts`),
  };
  const names = readdirSync(join(root, ops), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  expect(names).toContain('swiglu');
  for (const name of names) {
    expect(lists.index).toContain(`'./${name}/${name}.js'`);
    for (const backend of ['torch', 'wasm'] as const) {
      const has = existsSync(join(root, ops, name, `${backend}.ts`));
      expect(lists[backend].includes(`'./${name}/${backend}.js'`), `${name} ${backend}`).toBe(has);
    }
  }
});

test('a command is a file and a line', () => {
  const files = readdirSync(join(root, 'src/cli/commands')).map((name) => name.replace(/\.ts$/, ''));
  const loaded = [...read('src/cli/commands.ts').matchAll(/import\('\.\/commands\/([\w-]+)\.js'\)/g)];
  expect(loaded.map(([, name]) => name!).sort()).toEqual(files.sort());
});
