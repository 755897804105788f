import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { completenessOf } from '../../../kernel/language/completeness.js';
import { CellService } from '../../../kernel/language/service.js';

let folder: string;
let service: CellService;
let count = 0;

/** Runs a cell as far as types are concerned. */
function cell(code: string): string[] {
  const name = `cell-${++count}.ts`;
  service.add(name, code);
  return service.check(name);
}
const names = (code: string) => service.complete(code, code.length).items.map(({ name }) => name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-language-'));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(
    join(folder, 'lib/shapes.ts'),
    '/** A side. */\nexport const side: number = "wrong" as any;\n',
  );
  writeFileSync(
    join(folder, 'lib/broken.ts'),
    'export const twice = (n: number) => n * 2;\nconst bad: number = "x";\n',
  );
  writeFileSync(
    join(folder, 'tsconfig.json'),
    '{ "compilerOptions": { "strict": true, "noUnusedLocals": true, "noUncheckedIndexedAccess": true, "noImplicitOverride": true, "paths": { "@/*": ["./lib/*"] } } }',
  );
  mkdirSync(join(folder, 'node_modules/react'), { recursive: true });
  writeFileSync(
    join(folder, 'node_modules/react/jsx-runtime.d.ts'),
    'export namespace JSX { interface IntrinsicElements { b: { children?: unknown } } }\n',
  );
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  for (const name of ['commander', '@types'])
    symlinkSync(join(modules, name), join(folder, 'node_modules', name));
  service = new CellService(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('type errors have the position in the cell, and only the cell itself is looked at', () => {
  expect(cell('const a = 1;\n  const b: string = a;')).toEqual([
    "cell-1.ts:2:9 - warning TS2322: Type 'number' is not assignable to type 'string'.\n",
  ]);
  expect(cell("import { twice } from './lib/broken.ts'; twice(3)")).toEqual([]);
  expect(cell("import { twice as again } from '@/broken'; again('3')")[0]).toContain('TS2345');
});

test('cells are as strict as the project, but for what keeps a library strict', () => {
  expect(
    cell('const first = [1, 2][0]; first.toFixed(); class Up { f() {} } class Low extends Up { f() {} }'),
  ).toEqual([]);
  expect(cell('[1, 2].at(5).toFixed()')[0]).toContain('TS2532');
});

test('a notebook is one program with the semantics of a REPL', () => {
  expect(
    cell('let rate = 0.1; function scaled(n: number) { return n * rate; } interface Point { x: number }'),
  ).toEqual([]);
  expect(cell('rate = 0.2; const p: Point = { x: scaled(3) }; p.x')).toEqual([]);
  expect(cell('let rate = "fast"; const p = { y: rate.length };')).toEqual([]);
  expect(cell('rate.toUpperCase() + p.y')).toEqual([]);
  expect(cell('p.x')[0]).toContain('TS2339');
  expect(cell('const { first, ...others } = { first: 1, second: 2 }; enum Colour { Red }')).toEqual([]);
  expect(cell('others.second + first + Colour.Red')).toEqual([]);
});

test('exports, objects and declarations for all cells mean what they do when they run', () => {
  expect(cell('export { shown }; const shown = 1; export { shown as other };')).toEqual([]);
  expect(cell('shown.toFixed()')).toEqual([]);
  expect(cell('{ a: 1, b: shown }')).toEqual([]);
  expect(cell('declare global { interface Array<T> { head(): T } }')).toEqual([]);
  expect(
    cell("import 'commander'; declare module 'commander' { interface Command { extra: number } }"),
  ).toEqual([]);
  const use = "import { Command } from 'commander'; new Command().extra.toFixed() + [shown].head().toFixed()";
  expect(cell(use)).toEqual([]);
});

test('await, import.meta, require and the functions of the kernel are known', () => {
  expect(cell('const text = await Promise.resolve("x"); for await (const part of [1]) part;')).toEqual([]);
  expect(cell('import.meta.url; require("node:fs"); __dirname; process.argv')).toEqual([]);
  expect(
    cell("import * as tslab from 'tslab'; tslab.display.html('<b>x</b>'); display(1).update(2)"),
  ).toEqual([]);
  expect(cell('for (const n of progress([1, 2])) n.toFixed(); progress(3).advance()')).toEqual([]);
  expect(cell('display()')[0]).toContain('TS2554');
});

test('comms and widgets are known', () => {
  expect(
    cell(`const slider = widget.slider({ min: 0, value: 3 }); slider.value.toFixed();
slider.on('change', ({ old, value }) => value - old).once('change:value', () => {});
const pick = widget.select({ options: [1, 2] }); pick.value?.toFixed();
const mine = anywidget({ esm: 'export default {}', state: { count: 1 } }); mine.count.toFixed(); mine.set('count', 2);
widget.hbox([slider, mine, pick]); slider.set({ max: 9 }); (await slider.next('change')).value;
comm.open('x', {}, { buffers: [new Uint8Array(1)] }).on('message', (data, { buffers }) => buffers[0]?.length);
comm.register('y', (channel, data) => channel.send({ ...data }));`),
  ).toEqual([]);
  expect(cell('widget.slider({ valu: 1 })')[0]).toContain('TS2561');
  expect(cell('widget.slider().value = "x"')[0]).toContain('TS2322');
  expect(cell('anywidget({ esm: "", state: { n: 1 } }).set("m", 1)')[0]).toContain('TS2345');
  expect(cell('widget.select({ options: ["a"], value: 2 })')[0]).toContain('TS2322');
  expect(cell('const widget = 1; widget.toFixed()')).toEqual([]);
});

test('packages are found from the folder of the notebook', () => {
  expect(cell("import { Command } from 'commander'; new Command('x').description('y')")).toEqual([]);
  expect(cell('new Command(5)')[0]).toContain('TS2345');
  expect(cell("import x from 'no-such-package'")[0]).toContain("Cannot find module 'no-such-package'");
});

test('completion of names, members, modules and paths', () => {
  cell('const veryLongName = { inner: 1, other: "x" };');
  expect(names('veryLon')).toEqual(['veryLongName']);
  expect(names('veryLongName.')).toEqual(['inner', 'other']);
  expect(names('for (const v of [veryLongName]) { v.')).toEqual(['inner', 'other']);
  expect(names('const s = "a"; s.toUpper')).toEqual(['toUpperCase']);
  expect(names("import { } from './lib/sh")).toEqual(['shapes']);
  expect(names("import x from 'comman")).toEqual(['commander']);
  const middle = service.complete('veryLongName.in + 1', 15);
  expect(middle).toMatchObject({ start: 13, end: 15, items: [{ name: 'inner', kind: 'property' }] });
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the text of a template is what this is about
test('a place inside of a string or a comment is told apart', () => {
  const quoted = (code: string) => service.complete(code, code.length).quoted;
  expect(['"abc', "'a.b", '`a ', '`${a} b', '// x', '/* y'].map(quoted)).toEqual(Array(6).fill(true));
  expect(['abc', '"a" + b', '`${a', '/* y */ z', ''].map(quoted)).toEqual(Array(5).fill(false));
});

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above

test('inspection gives signature and documentation', () => {
  cell(
    "/** Half of it. */ function half(n: number): number { return n / 2 } import { side } from './lib/shapes.ts';",
  );
  expect(service.inspect('half(', 5)).toContain('half(n: number): number\n\nHalf of it.');
  expect(service.inspect('side', 2)).toContain('A side.');
  for (const call of ['half(', 'half(1, ', 'half({ a: side, ', 'if (side) { half( '])
    expect(service.inspect(call, call.length)).toBe('half(n: number): number\n\nHalf of it.');
  expect(service.inspect('half(side', 9)).toContain('A side.');
  expect(service.inspect('JSON.stringify', 9)).toContain('Converts a JavaScript value');
  expect(service.inspect('+ +', 1)).toBeUndefined();
});

test('a local file that is edited is read again', () => {
  expect(cell("import { side } from './lib/shapes.ts'; side.toFixed()")).toEqual([]);
  writeFileSync(join(folder, 'lib/shapes.ts'), 'export const side: string = "longer than before";\n');
  expect(cell("import { side } from './lib/shapes.ts'; side.toFixed()")[0]).toContain('TS2551');
});

test('code that is not finished breaks nothing', () => {
  expect(() => cell('function (')).not.toThrow();
  expect(() => service.complete('`${', 3)).not.toThrow();
  expect(() => service.inspect('', 0)).not.toThrow();
  expect(cell('veryLongName.inner')).toEqual([]);
});

test('completeness by what the parser says', () => {
  expect(completenessOf('')).toEqual({ status: 'complete' });
  expect(completenessOf('a\n.b')).toEqual({ status: 'complete' });
  expect(completenessOf('const x: Array<')).toMatchObject({ status: 'incomplete' });
  expect(completenessOf('[1, 2')).toMatchObject({ status: 'incomplete' });
  expect(completenessOf('class A {\n  m() {')).toEqual({ status: 'incomplete', indent: '    ' });
  expect(completenessOf("'abc")).toEqual({ status: 'invalid' });
  expect(completenessOf('const = 3')).toEqual({ status: 'invalid' });
  expect(completenessOf('f(1))')).toEqual({ status: 'invalid' });
});

test('cells may be TSX where they are no TypeScript', () => {
  writeFileSync(
    join(folder, 'lib/title.tsx'),
    'export const Title = (props: { text: string }) => null as any;\n',
  );
  const [warning] = cell("import { Title } from './lib/title'; const title = <Title text={1} />");
  expect(warning).toContain("Type 'number' is not assignable to type 'string'");
  expect(names('const again = <Title te')).toEqual(['text']);
  expect(names('const again = <b>{tit')).toContain('title');
  expect(cell('const asserted = <number>(5 as any); asserted.toFixd()')[0]).toContain('TS2551');
});

test.each([
  ['const a = <b>hi</b>', 'complete'],
  ['const a = <b>', 'incomplete'],
  ['const a = <>\n  <i/>', 'incomplete'],
  ['const a = <b>{f(1)}', 'incomplete'],
  ['const a = <b>{x', 'incomplete'],
  ['const a = <b>hi</i>', 'invalid'],
  ['let f = <T>(x: T) => x', 'complete'],
])('whether the JSX of %j is complete', (code, status) => {
  expect(completenessOf(code).status).toBe(status);
});

test('what a cell puts on globalThis is there for it and for later ones', () => {
  expect(cell('globalThis.first1 = 1; first1')).toEqual([]);
  expect(cell("(globalThis as any)['second2'] = 1; Object.assign(global, { third3: 1 })")).toEqual([]);
  expect(cell("Object.defineProperty(globalThis, 'fifth5', { value: 1 }); globalThis.sixth6 ??= 1")).toEqual(
    [],
  );
  expect(cell('({ first1, second2 }); [third3, fifth5, sixth6, globalThis.first1]')).toEqual([]);
  expect(cell('seventh7')[0]).toContain('TS2304');
});

test('lines that are no code are left out', () => {
  expect(cell('const shown: number = 1\n!npm install left-pad\n%time shown.toFixed()')).toEqual([]);
  expect(cell('!npm ci x\n%time shown.toFixd()')[0]).toMatch(/^cell-\d+\.ts:2:13 - warning TS2551/);
  expect(names('!npm i x\nsho')).toContain('shown');
  expect(completenessOf('!npm install x').status).toBe('complete');
  expect(completenessOf('!npm install x\nif (a) {').status).toBe('incomplete');
});
