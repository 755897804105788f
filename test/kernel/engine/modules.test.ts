import { describe, expect, it } from 'vitest';
import { Project, useKernel } from '../bridge/client.js';

const { kernel, project } = useKernel({
  'tsconfig.json': `{
    // comments and trailing commas are allowed here
    "extends": "./config/base.json",
    "compilerOptions": { "paths": { "@lib/*": ["./lib/*"], "settings": ["./lib/settings.ts"] } },
  }`,
  'config/base.json':
    '{ "compilerOptions": { "experimentalDecorators": true, "useDefineForClassFields": false } }',
  'lib/settings.ts':
    "import { deep } from '@lib/deep/value';\nexport const settings = { deep };\nexport const loadedAt = performance.now();\n",
  'lib/deep/value.ts': "export const deep: string = 'first';\n",
  'lib/stable.ts': 'export const state = { count: 0 };\n',
  'lib/uses-types.ts':
    "import { Shape, area } from './shapes';\nimport { Other } from './shapes.js';\nexport type { Shape };\nexport const total = (s: Shape, _o?: Other) => area(s);\n",
  'lib/shapes.ts':
    'export interface Shape { w: number; h: number }\nexport type Other = string;\nexport function area({ w, h }: Shape) { return w * h; }\n',
  'lib/circle-a.ts':
    "import { b } from './circle-b';\nexport const a = (): string => 'a' + (b ? '' : b());\nexport const both = () => a() + b();\n",
  'lib/circle-b.ts':
    "import { a } from './circle-a';\nexport function b(): string { return 'b1' + a.name; }\n",
  'lib/live.ts': 'export let counter = 0;\nexport const increase = () => { counter++; };\n',
  'lib/reads-live.ts': "import { counter } from './live';\nexport const read = () => counter;\n",
  'lib/asynchronous.ts':
    "export const slow = await new Promise<string>(r => setTimeout(() => r('slow'), 5));\n",
  'lib/meta.ts':
    "export const where = import.meta.dirname;\nexport const load = async (name: string) => (await import('./deep/' + name + '.ts')).deep;\n",
  'lib/decorated.ts':
    'function tag(target: any) { target.tag = 1 }\n@tag export class Tagged { static tag: number }\n',
  'lib/page.html': '<b>text</b>\n',
  'lib/plain.js': 'exports.value = 1;\n',
  'lib/module.mjs': 'export const value = 10;\n',
  'lib/index.ts':
    "export * from './shapes';\nexport { state } from './stable';\nexport * as settings from './settings';\n",
  'lib/shows.ts':
    "import * as tslab from 'tslab';\nexport const show = () => tslab.display.html('<i>lib</i>');\n",
  'data/numbers.json': '{ "numbers": [1, 2], "class": 3 }',
  'node_modules/esm-only/package.json':
    '{ "name": "esm-only", "type": "module", "exports": { ".": { "import": "./index.js" } } }',
  'node_modules/esm-only/index.js': "export const kind = 'esm'; export default class Made {}\n",
  'node_modules/old/package.json': '{ "name": "old" }',
  'node_modules/old/index.js':
    "for (const name of ['hidden']) exports[name] = 'cjs'; exports.tslab = () => require('tslab');\n",
});

describe('imports', () => {
  it.each([
    ["import made, { kind } from 'esm-only'; [kind, new made().constructor.name].join()", "'esm,Made'"],
    ["import * as all from 'esm-only'; Object.keys(all).join()", "'default,kind'"],
    ["import { hidden } from 'old'; hidden", "'cjs'"],
    ["import old from 'old'; old.hidden", "'cjs'"],
    ["import old = require('old'); old.hidden", "'cjs'"],
    ["import data from './data/numbers.json'; data.numbers", '[ 1, 2 ]'],
    ["import data2 from './data/numbers.json' with { type: 'json' }; data2.class", '3'],
    ["import { numbers } from './data/numbers.json'; numbers.length", '2'],
    ["require('./data/numbers.json').class", '3'],
    ["import page from './lib/page.html'; page", "'<b>text</b>\\n'"],
    ["import { settings } from 'settings'; settings.deep", "'first'"],
    ["import { settings as s2 } from '@lib/settings'; s2 === settings", 'true'],
    ["import { settings as s3 } from './lib/settings.js'; s3 === settings", 'true'],
    ["(await import('./lib/settings')).settings === settings", 'true'],
    ["import { total } from './lib/uses-types'; total({ w: 2, h: 3 })", '6'],
    ["import { both } from './lib/circle-a'; both()", "'ab1a'"],
    [
      "import { increase } from './lib/live'; import { read } from './lib/reads-live'; increase(); read()",
      '1',
    ],
    ["import { slow } from './lib/asynchronous'; slow", "'slow'"],
    ["import { where, load } from './lib/meta'; where === __dirname + '/lib'", 'true'],
    ["await load('value')", "'first'"],
    ["import { Tagged } from './lib/decorated'; Tagged.tag", '1'],
    ["import { value } from './lib/plain.js'; value", '1'],
    ["import { value as ten } from './lib/module.mjs'; ten", '10'],
    [
      "import { area as ar, state, settings as ns } from './lib'; [ar({ w: 1, h: 1 }), state.count, ns.settings.deep].join()",
      "'1,0,first'",
    ],
    ["const spec = './lib/stable'; const viaName = await import(spec); viaName.state.count", '0'],
    ["import.meta.resolve('./lib/stable').endsWith('/lib/stable.ts')", 'true'],
  ])('%s', async (code, text) => {
    expect(await kernel.value(code)).toBe(text);
  });

  it('of files outside the working directory work', async () => {
    const other = new Project({ 'src/x.ts': 'export const far: number = 9;\n' });
    expect(await kernel.value(`import { far } from '${other.folder}/src/x'; far`)).toBe('9');
    other.remove();
  });

  it('give the modules anew when they or what they import change, and only then', async () => {
    await kernel.value("import { state } from './lib/stable'; state.count = 5");
    await kernel.value("import { settings, loadedAt } from 'settings'; const before = loadedAt");
    await kernel.value("import { settings, loadedAt } from 'settings'");
    expect(await kernel.value('loadedAt === before')).toBe('true');
    project.write('lib/deep/value.ts', "export const deep: string = 'second';\n");
    expect(await kernel.value("import { settings } from 'settings'; settings.deep")).toBe("'second'");
    expect(await kernel.value("import { state } from './lib/stable'; state.count")).toBe('5');
    expect(await kernel.value("await load('value')")).toBe("'second'");
    project.write(
      'lib/circle-b.ts',
      "import { a } from './circle-a';\nexport function b(): string { return 'b2' + a.name; }\n",
    );
    expect(await kernel.value("import { both } from './lib/circle-a'; both()")).toBe("'ab2a'");
    project.write('data/numbers.json', '{ "numbers": [7] }');
    expect(await kernel.value("import fresh from './data/numbers.json'; fresh.numbers")).toBe('[ 7 ]');
    project.write('lib/plain.js', 'exports.value = 2;\n');
    expect(await kernel.value("import { value } from './lib/plain.js'; value")).toBe('2');
  });

  it('find the package that the kernel came with where it is not installed, by its name alone', async () => {
    project.write('lib/own.ts', "export { gridSvg } from 'arclab';\n");
    expect(await kernel.value("import { taskSvg } from 'arclab'; typeof taskSvg")).toBe("'function'");
    expect(await kernel.value("import { gridSvg } from './lib/own'; typeof gridSvg")).toBe("'function'");
    expect(await kernel.value("typeof require('arclab').gridSvg")).toBe("'function'");
    expect((await kernel.failure("import 'zeromq'")).ename).toBe('ModuleNotFoundError');
    const { evalue, traceback } = await kernel.failure("import 'arclab/inner'");
    expect(evalue).toContain("'./inner' is not defined");
    expect(traceback[0]).toMatch(/^cell-\d+\.ts:1:8$/);
    expect(traceback.join('\n')).not.toContain('data:');
  });

  it('by require of TypeScript say what to do', async () => {
    const { evalue } = await kernel.failure("require('./lib/stable')");
    expect(evalue).toMatch(/stable\.ts is TypeScript, which require\(\) cannot load; use import/);
  });

  it('survive a file that is deleted and made again', async () => {
    project.write('lib/gone.ts', 'export const here = 1;\n');
    expect(await kernel.value("import { here } from './lib/gone'; here")).toBe('1');
    project.delete('lib/gone.ts');
    expect((await kernel.failure("import { here } from './lib/gone'")).ename).toBe('ModuleNotFoundError');
    expect(await kernel.value('here')).toBe('1');
    project.write('lib/gone.ts', 'export const here = 2;\n');
    expect(await kernel.value("import { here } from './lib/gone'; here")).toBe('2');
  });

  it('try again what has failed', async () => {
    project.write(
      'lib/fragile.ts',
      "if (!(globalThis as any).ready) throw new Error('not yet');\nexport const fine = 1;\n",
    );
    expect((await kernel.failure("import { fine } from './lib/fragile'")).traceback[0]).toBe(
      'lib/fragile.ts:1:39',
    );
    await kernel.value('(globalThis as any).ready = true');
    expect(await kernel.value("import { fine } from './lib/fragile'; fine")).toBe('1');
    project.write('lib/typo.ts', 'export const t = ;\n');
    expect((await kernel.failure("import { t } from './lib/typo'")).ename).toBe('SyntaxError');
    project.write('lib/typo.ts', 'export const t = 1;\n');
    expect(await kernel.value("import { t } from './lib/typo'; t")).toBe('1');
  });

  it('can be interrupted, and made again', async () => {
    project.write(
      'lib/endless.ts',
      "export const n = 1;\nconsole.log('began');\nwhile (!(globalThis as any).enough) {}\n",
    );
    const { done } = kernel.start("import { n } from './lib/endless'");
    await kernel.until(({ type }) => type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    await kernel.value('(globalThis as any).enough = true');
    expect(await kernel.value("import { n } from './lib/endless'; n")).toBe('1');
  });

  it('of a script with an error in tsconfig.json say so', async () => {
    const other = new Project({ 'tsconfig.json': '{ "compilerOptions": ', 'a.ts': 'export const a = 1' });
    const { evalue } = await kernel.failure(`import { a } from '${other.folder}/a.ts'`);
    expect(evalue).toContain('tsconfig.json cannot be read');
    other.remove();
  });
});

describe('tslab', () => {
  it('is there under its name for cells, local files and libraries', async () => {
    const html = async (code: string) =>
      (await kernel.run(code)).outputs.map((output) =>
        output.type === 'display_data' ? output.data : output,
      );
    expect(await html("import * as tslab from 'tslab'; tslab.display.html('<i>cell</i>')")).toEqual([
      { 'text/html': '<i>cell</i>' },
    ]);
    expect(await html("import { show } from './lib/shows'; show()")).toEqual([{ 'text/html': '<i>lib</i>' }]);
    expect(
      await kernel.value("import * as fromOld from 'old'; fromOld.tslab().display === tslab.display"),
    ).toBe('true');
    expect(await kernel.value("require('tslab').display === (await import('tslab')).display")).toBe('true');
  });
});
