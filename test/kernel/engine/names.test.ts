/** What names stand for: globals that a failed cell was to hide, and imports whose value changes. */
import { describe, expect, it } from 'vitest';
import { useKernel } from '../bridge/client.js';

const { kernel } = useKernel({
  'lib/live.ts':
    'export let counter = 0;\nexport const increase = () => ++counter;\nexport function swap() { swap = () => 2 as never; return 1 }\n',
  'lib/index.ts':
    "export * from './live';\nexport { counter as renamed } from './live';\nexport * from './circle';\n",
  'lib/circle.ts':
    "import { counter } from './index';\nexport { counter as around };\nlet state = 'a';\nexport const next = () => { ({ state } = { state: 'b' }) };\nexport { state as default, state };\n",
  'node_modules/changing/package.json': '{ "name": "changing", "type": "module", "exports": "./index.js" }',
  'node_modules/changing/index.js': 'export let level = 1;\nexport const raise = () => { level++; };\n',
});

describe('a global that a cell was to hide', () => {
  it.each([
    ["const fetch = require('not-installed')", 'fetch'],
    ['const { display } = nowhere.at.all', 'display'],
    ['const [, { structuredClone }] = [1, null as any]', 'structuredClone'],
    ['class URL { static field = nowhere() }', 'URL'],
  ])('%s: is there again when the cell has failed', async (code, name) => {
    await kernel.failure(code);
    expect(await kernel.value(`typeof ${name}`)).toBe("'function'");
    expect(await kernel.value(`${name} = globalThis.${name}; ${name} === globalThis.${name}`)).toBe('true');
  });

  it('is there again when the cell was interrupted', async () => {
    const { done } = kernel.start("console.log('began'); const performance = await new Promise(() => {})");
    await kernel.until(({ type }) => type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    expect(await kernel.value('typeof performance.now()')).toBe("'number'");
  });

  it('stays hidden when the cell has succeeded', async () => {
    await kernel.run('const atob = 7');
    expect(await kernel.value('atob')).toBe('7');
  });

  it('does not come back with a value that an earlier cell gave', async () => {
    await kernel.run('let btoa = 5');
    await kernel.failure('let btoa = nowhere');
    expect(await kernel.value('btoa')).toBe('5');
  });
});

describe('an import whose value changes', () => {
  it('has the value of now, in its cell and in later ones', async () => {
    expect(
      await kernel.value("import { counter, increase } from './lib/live'; increase(); increase(); counter"),
    ).toBe('2');
    expect(await kernel.value('increase(); counter')).toBe('3');
    expect(await kernel.value('const read = () => counter; increase(); read()')).toBe('4');
  });

  it('has it through files that hand it on', async () => {
    const code =
      "import { renamed, around, counter as same, increase as up } from './lib'; up(); [renamed, around, same]";
    expect(await kernel.value(code)).toBe('[ 5, 5, 5 ]');
  });

  it('may be a function, or assigned to in a pattern', async () => {
    expect(await kernel.value("import { swap } from './lib/live'; [swap(), swap()]")).toBe('[ 1, 2 ]');
    expect(await kernel.value("import state, { next } from './lib/circle'; next(); state")).toBe("'b'");
  });

  it('can be declared anew, and be imported again', async () => {
    expect(await kernel.value('let counter = 100; counter')).toBe('100');
    expect(await kernel.value('read()')).toBe('100');
    expect(await kernel.value("import { counter } from './lib/live'; counter")).toBe('5');
    await kernel.run('increase()');
    expect(await kernel.value('[counter, read()]')).toBe('[ 6, 6 ]');
  });

  it('can be assigned to', async () => {
    await kernel.value("import { counter as mine } from './lib/live'; mine");
    expect(await kernel.value('mine = 50; mine')).toBe('50');
    expect(await kernel.value('increase(); mine')).toBe('50');
  });

  it('does not take the place of what is global for everybody', async () => {
    await kernel.value("import { counter as fetch } from './lib/live'; fetch");
    expect(await kernel.value('typeof globalThis.fetch')).toBe("'function'");
  });

  it('of a package is up to date in the next cell, unless it was assigned to', async () => {
    await kernel.value("import { level, level as own, raise } from 'changing'; raise(); own = 9; level");
    expect(await kernel.value('[level, own]')).toBe('[ 2, 9 ]');
    expect(await kernel.value('raise(); own')).toBe('9');
    expect(await kernel.value('level')).toBe('3');
  });
});
