import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useKernel } from '../bridge/client.js';

const { kernel, project } = useKernel({
  'thrower.ts':
    "interface Wide {\n  a: number;\n}\nexport function fail(x: Wide): never {\n  throw new Error('a is ' + x.a);\n}\n",
  'broken.ts': 'export const a = 1;\nexport const b = ;\n',
  'enum.ts':
    "export enum E {\n  A,\n}\nexport function boom(): never {\n  throw new RangeError('boom');\n}\n",
  'data.json': '{ "a": 1, }',
});

const text = (lines: string[]) => lines.join('\n');

describe('errors', () => {
  it('show the cell, the line, the column and the code', async () => {
    const { ename, evalue, traceback } = await kernel.failure(
      'const x: number = 1;\nfunction f(y: { z: number }) {\n  return y.z;\n}\nf(null as any);',
    );
    expect(ename).toBe('TypeError');
    expect(evalue).toBe("Cannot read properties of null (reading 'z')");
    expect(text(traceback)).toBe(
      [
        'cell-1.ts:3:12',
        '  1 | const x: number = 1;',
        '  2 | function f(y: { z: number }) {',
        '> 3 |   return y.z;',
        '    |            ^',
        '  4 | }',
        '  5 | f(null as any);',
        '',
        "TypeError: Cannot read properties of null (reading 'z')",
        '    at f (cell-1.ts:3:12)',
        '    at cell-1.ts:5:1',
      ].join('\n'),
    );
  });

  it('have the right places where code was made anew', async () => {
    const place = async (code: string) =>
      (await kernel.failure(code)).traceback[0]!.replace(/^cell-\d+/, 'cell');
    expect(
      await place('enum E { A }\nclass P { constructor(public x: number) {} }\n\nthrow new Error("x")'),
    ).toBe('cell.ts:4:7');
    expect(
      await place(
        '@(v => v) class Q {}\nclass R { accessor a = 1 }\nfunction g(): void {\n  null.x;\n}\ng()',
      ),
    ).toBe('cell.ts:4:8');
    expect(await place('import { join, dirname } from "path"; throw new Error("x")')).toBe('cell.ts:1:45');
    expect(await place('import { join }\n  from "path"; join("a"); throw new Error("x")')).toBe(
      'cell.ts:2:33',
    );
    expect(await place('const a = 1; function h() { throw new Error("x") }; h()')).toBe('cell.ts:1:35');
    expect(await place('const a = await import("path"); null.x')).toBe('cell.ts:1:38');
    expect(await place('{ a: null.x }')).toBe('cell.ts:1:11');
    expect(
      await place('await null;\nawait (async () => {\n  await null;\n  throw new Error("x");\n})()'),
    ).toBe('cell.ts:4:9');
  });

  it('in a long line show the part around the place', async () => {
    const { traceback } = await kernel.failure(
      `const long = '${'x'.repeat(100)}'; null.y; '${'z'.repeat(100)}'`,
    );
    const [, line, mark] = traceback.map((text) => text.slice(text.indexOf('|')));
    expect(line).toMatch(/^\| …x+'; null\.y; 'z+…$/);
    expect(line!.length).toBeLessThan(90);
    expect(line!.slice(mark!.indexOf('^'))).toMatch(/^y; 'z/);
  });

  it('of syntax show their place', async () => {
    const { ename, traceback } = await kernel.failure('let fine = 1;\nlet x: number = ;\n');
    expect(ename).toBe('SyntaxError');
    expect(traceback).toContain('> 2 | let x: number = ;');
    expect(traceback).toContain('    |                 ^');
    expect(traceback.at(-1)).toBe('SyntaxError: Expression expected');
    expect((await kernel.failure('let d = 1; let d = 2')).traceback[0]).toMatch(/^cell-\d+\.ts:1:16$/);
    expect((await kernel.failure('const s = "abc')).evalue).toBe('Unterminated string constant');
    expect((await kernel.failure('return 5')).ename).toBe('SyntaxError');
    expect((await kernel.failure('const f = () => { await x }')).ename).toBe('SyntaxError');
  });

  it('show their causes and their parts', async () => {
    const cause = await kernel.failure("throw new Error('outer', { cause: new TypeError('inner') })");
    expect(text(cause.traceback)).toMatch(/\[cause\]: TypeError: inner\n +at cell-\d+\.ts:1:35/);
    const parts = await kernel.failure(
      "await Promise.any([Promise.reject(new Error('one')), Promise.reject(2)])",
    );
    expect(parts.ename).toBe('AggregateError');
    expect(text(parts.traceback)).toMatch(/\[errors\]: \[\n +Error: one\n/);
    const file = await kernel.failure("require('fs').readFileSync('/none')");
    expect(text(file.traceback)).toContain("code: 'ENOENT'");
    expect(file.traceback[0]).toMatch(/^cell-\d+\.ts:1:15$/);
  });

  it.each([
    ["throw 'abc'", "'abc'"],
    ['throw { a: 1 }', '{ a: 1 }'],
    ['throw undefined', 'undefined'],
    ['await Promise.reject(null)', 'null'],
    ['throw new Proxy({}, {})', inspect(new Proxy({}, {}))],
  ])('that are none: %s', async (code, value) => {
    expect(await kernel.failure(code)).toMatchObject({ ename: 'Uncaught', evalue: value });
  });

  it('that resist being shown are shown somehow', async () => {
    await kernel.failure('throw Object.freeze(new Error("ice"))');
    await kernel.failure(
      'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { throw 1 } }); throw e',
    );
    await kernel.failure(
      'class Odd extends Error { get message(): string { throw new Error("no") } } throw new Odd()',
    );
    const { ename } = await kernel.failure(
      'class MyError extends Error { name = "MyError" } throw new MyError("m")',
    );
    expect(ename).toBe('MyError');
    expect((await kernel.failure('function deep(): any { return deep() } deep()')).ename).toBe('RangeError');
  });

  it('show none of the frames of the kernel, also where a cell prints the stack', async () => {
    const { stdout } = await kernel.run('console.log(new Error("mine").stack)');
    expect(stdout).toMatch(/^Error: mine\n {4}at cell-\d+\.ts:1:13\n$/);
    const { stderr } = await kernel.run(
      'setTimeout(() => console.error(new Error("t")), 1); await new Promise(r => setTimeout(r, 20))',
    );
    expect(stderr).toMatch(/^Error: t\n {4}at Timeout\.<anonymous> \(cell-\d+\.ts:1:32\)\n$/);
    const shown = await kernel.failure(
      "display({ [Symbol.for('Jupyter.display')]() { throw new Error('in display') } })",
    );
    expect(text(shown.traceback)).not.toMatch(/kernel|node:/);
  });

  it('in local files show the file', async () => {
    const { traceback } = await kernel.failure("import { fail } from './thrower.ts';\n\nfail({ a: 5 })");
    expect(traceback[0]).toBe('thrower.ts:5:9');
    expect(traceback).toContain("> 5 |   throw new Error('a is ' + x.a);");
    expect(text(traceback)).toMatch(
      /Error: a is 5\n {4}at fail \(thrower\.ts:5:9\)\n {4}at cell-\d+\.ts:3:1$/,
    );
    expect((await kernel.failure("import { boom } from './enum.ts'; boom()")).traceback[0]).toBe(
      'enum.ts:5:9',
    );
  });

  it('of syntax in local files show the file', async () => {
    const { ename, traceback } = await kernel.failure("import { a } from './broken.ts'");
    expect(ename).toBe('SyntaxError');
    expect(traceback.slice(0, 4)).toEqual([
      'broken.ts:2:18',
      '  1 | export const a = 1;',
      '> 2 | export const b = ;',
      '    |                  ^',
    ]);
    expect((await kernel.failure("import data from './data.json'")).evalue).toMatch(
      /^data\.json is not valid JSON: /,
    );
  });

  it('of imports say what is missing and where it was looked for', async () => {
    const missing = await kernel.failure("\nimport { x } from 'no-such-package/sub';");
    expect(missing).toMatchObject({ ename: 'ModuleNotFoundError' });
    expect(missing.evalue).toContain(
      'Cannot find the package "no-such-package", of which "no-such-package/sub"',
    );
    expect(missing.evalue).toContain(`${project.folder}/node_modules`);
    expect(missing.traceback[0]).toMatch(/^cell-\d+\.ts:2:19$/);
    const file = await kernel.failure("import { x } from './absent'");
    expect(file.evalue).toContain(`there is no ${project.folder}/absent`);
    const name = await kernel.failure("import { fial } from './thrower.ts'; fial()");
    expect(name.evalue).toBe('"./thrower.ts" has no export named "fial"; it has fail');
    const dynamic = await kernel.failure("await import('./absent')");
    expect(dynamic.ename).toBe('ModuleNotFoundError');
  });
});
