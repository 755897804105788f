import { describe, expect, it } from 'vitest';
import { sleep, useKernel } from '../bridge/client.js';

const { kernel, project } = useKernel();

describe('values', () => {
  it.each([
    ['6 * 7', '42'],
    ["const s: string = 'x'; s", "'x'"],
    ['let a = 1; const b = 2', undefined],
    ['1; let c = 2', undefined],
    ['2; function g() {}', undefined],
    ['for (let i = 0; i < 3; i++) i', undefined],
    ['if (true) 5', undefined],
    ['5;', '5'],
    ['5; // a comment', '5'],
    ['undefined', undefined],
    ['null', 'null'],
    ['', undefined],
    ['// nothing', undefined],
    ["'use strict'", "'use strict'"],
    ['-0', '-0'],
    ['10n ** 20n', '100000000000000000000n'],
    ["Symbol.for('x')", 'Symbol(x)'],
    ['await Promise.resolve(3)', '3'],
    ['await (1 + 1)', '2'],
    ['[1, 2].map(x => x * 2)', '[ 2, 4 ]'],
    ['export const e = 4; e', '4'],
    ['export default 5', '5'],
    ['export default function named() { return 6 }; named()', '6'],
    ['typeof this', "'object'"],
    ['#!/usr/bin/env node\n8', '8'],
    ['for (var i = 0, j = 1; i < 2; i++); i + j', '3'],
    ['for (var [k] of [[5], [6]]); k', '6'],
    ['if (false) var never = 1, [also] = [2]; typeof never', "'undefined'"],
    ['var { p, ...q } = { p: 1, r: 2 }, t; [p, q.r, t].join()', "'1,2,'"],
    ['new Promise(() => {})', 'Promise { <pending> }'],
    ['(function () { return this })()', undefined],
  ])('%s', async (code, text) => {
    expect(await kernel.value(code)).toBe(text);
  });

  it('of a lone object are that object', async () => {
    await kernel.value('let lr = 0.1');
    expect(await kernel.value('{ lr }')).toBe('{ lr: 0.1 }');
    expect(await kernel.value('{ a: 1, b: { c: 2 } }')).toBe('{ a: 1, b: { c: 2 } }');
    expect((await kernel.run('{ console.log(lr) }')).stdout).toBe('0.1\n');
  });

  it('are given by for await', async () => {
    const { stdout } = await kernel.run('for await (const x of [Promise.resolve(1), 2]) console.log(x)');
    expect(stdout).toBe('1\n2\n');
  });
});

describe('declarations', () => {
  const FORMS = [
    'let n = V',
    'const n = V',
    'var n = V',
    '{ var n = V }',
    'class n { static v = V }',
    'function n() { return V }',
  ];
  const pairs = FORMS.flatMap((first) => FORMS.map((second) => [first, second] as const));

  it.each(pairs)('%s is replaced by %s', async (first, second) => {
    const read = "typeof n === 'function' ? ('v' in n ? (n as any).v : (n as any)()) : n";
    await kernel.value(first.replace('V', '1'));
    expect(await kernel.value(read)).toBe('1');
    await kernel.value(second.replace('V', '2'));
    expect(await kernel.value(read)).toBe('2');
  });

  it('of an import are replaced, and replace', async () => {
    await kernel.value('const join = 1');
    await kernel.value("import { join } from 'node:path'");
    expect(await kernel.value("join('a', 'b')")).toBe("'a/b'");
    await kernel.value('let join = 2');
    expect(await kernel.value('join')).toBe('2');
  });

  it('are seen by closures of earlier cells when they change', async () => {
    await kernel.value('const rate = 1; function getRate() { return rate }');
    expect(await kernel.value('rate = 2; getRate()')).toBe('2');
    await kernel.value('const rate = 3');
    expect(await kernel.value('getRate()')).toBe('3');
    await kernel.value('({ rate } = { rate: 4 })');
    expect(await kernel.value('getRate()')).toBe('4');
  });

  it('of functions can be used before their place', async () => {
    expect(
      await kernel.value('const early = later(2); function later(x: number) { return x + 1 }; early'),
    ).toBe('3');
    expect(
      await kernel.value(
        'isEven(10); function isEven(n: number): boolean { return n === 0 || isOdd(n - 1) }\nfunction isOdd(n: number): boolean { return n !== 0 && isEven(n - 1) }\nisEven(10)',
      ),
    ).toBe('true');
    expect(await kernel.value('later.name')).toBe("'later'");
  });

  it('of a cell that failed can be made again', async () => {
    await kernel.failure('const broken = null.x');
    expect(await kernel.value('const broken = 1; broken')).toBe('1');
    await kernel.failure("let waits = await Promise.reject(new Error('no'))");
    expect(await kernel.value('let waits = 2; waits')).toBe('2');
  });

  const CONSTANT = { ename: 'TypeError', evalue: 'Assignment to constant variable.' };

  it.each([
    'const c = 1;\nc = 2',
    'const c = 1;\nc += 2',
    'const c = 1;\nc++',
    'const c = null;\nc ??= 2',
    'const { c } = { c: 1 };\n[c] = [2]',
    'const [c] = [1];\n({ c } = { c: 2 })',
    'const c = 1;\n({ d: { ...c } } = { d: {} } as any)',
    'const c = 1;\nfor (c of [2]);',
    'export const c = 1;\n{ (() => c--)() }',
    'enum E { A }; const c = 1;\nc = E.A',
  ])('of constants are not assigned to in the same cell: %s', async (code) => {
    const { traceback, ...failure } = await kernel.failure(code);
    expect(failure).toEqual(CONSTANT);
    expect(traceback[0]).toMatch(/^cell-\d+\.ts:2:/);
  });

  it('of constants leave other variables of that name alone', async () => {
    const shadows = [
      '{ let s = 2; s = 3 }',
      '{ function s() {} s = 3 as any }',
      '{ class s {} s = 3 as any }',
      '((s: number) => { s = 3 })(2)',
      '((...[{ s = 2 }]: any[]) => { s = 3 })({})',
      '(function () { { var s = 2 } s = 3 })()',
      '(function s() { try { s = 3 as any } catch {} })()',
      'for (let s = 0; s < 2; s++);',
      'for (let s of [2]) s = 3',
      'try { throw 2 } catch (s) { s = 3 }',
      'switch (1) { default: let s = 2; s = 3 }',
      'class K { static { var s = 2; s = 3 } s = 1; m() { this.s = 3; return { s: 3 } } } new K().m()',
      'const o = { s: 1 }; o.s = 2; ({ s: o.s } = { s: 4 })',
    ];
    expect(await kernel.value(`const s = 1; ${shadows.join('; ')}; s`)).toBe('1');
    expect(await kernel.value('const t = 1; t ??= 2; t')).toBe('1');
  });

  it('are strict, as modules are', async () => {
    expect((await kernel.failure('undeclaredName = 1')).ename).toBe('ReferenceError');
  });
});

describe('TypeScript', () => {
  it.each([
    ['enum Color { Red, Green = 5, Blue }\n[Color.Blue, Color[0]].join()', "'6,Red'"],
    ['const enum Small { A = 2 }\nSmall.A', '2'],
    [
      'namespace Space { export const x = 1; export namespace Inner { export const y = 2 } }\nSpace.x + Space.Inner.y',
      '3',
    ],
    [
      'class Point { constructor(public x: number, private readonly y = 2) {} sum() { return this.x + this.y } }\nnew Point(1).sum()',
      '3',
    ],
    [
      'abstract class Shape { abstract area(): number } class Square extends Shape { area() { return 4 } }\nnew Square().area()',
      '4',
    ],
    ['const o = { a: 1 } satisfies Record<string, number>; (o as any).a!', '1'],
    [
      'function over(x: string): string; function over(x: number): number; function over(x: any) { return x }\nover(3)',
      '3',
    ],
    [
      'type T = { a: number }; interface I extends T { b: string }; declare const unknownThing: I; const i: I = { a: 1, b: "" }; i.a',
      '1',
    ],
    ['function generic<const T extends readonly unknown[]>(x: T): T { return x } generic([7])[0]', '7'],
    ['let value = <any>5; value', '5'],
    ["import fs = require('fs'); typeof fs.readFileSync", "'function'"],
    [
      "import type { Stats } from 'fs'; import { type Dirent, readFileSync as r } from 'fs'; typeof r",
      "'function'",
    ],
    ["import { Stats, PathLike } from 'fs'; let p: PathLike = '/'; p", "'/'"],
    [
      'function twice(value: any, _c: ClassMethodDecoratorContext) { return function (this: any) { return 2 * value.call(this) } }\nclass D { @twice n() { return 4 } }\nnew D().n()',
      '8',
    ],
    ['class A { accessor n = 3 }\nnew A().n', '3'],
    [
      "const log: string[] = []; { using r = { [Symbol.dispose]() { log.push('gone') } }; log.push('here') }\nlog.join()",
      "'here,gone'",
    ],
    ['const trailing = [1, 2, 3].toSorted((a, b) => b - a).at(-1); trailing', '1'],
  ])('%s', async (code, text) => {
    expect(await kernel.value(code)).toBe(text);
  });

  it('with type errors runs', async () => {
    expect(await kernel.value("const n: number = 'text' as any as string; n")).toBe("'text'");
  });
});

describe('the surroundings of a cell', () => {
  it('are those of a file in the working directory', async () => {
    expect(await kernel.value('__dirname')).toBe(`'${project.folder}'`);
    expect(await kernel.value('import.meta.dirname === __dirname')).toBe('true');
    expect(await kernel.value('import.meta.filename === __filename')).toBe('true');
    expect(await kernel.value("new URL('./x.txt', import.meta.url).pathname")).toBe(
      `'${project.folder}/x.txt'`,
    );
    expect(await kernel.value("import.meta.resolve('fs')")).toBe("'node:fs'");
    expect(await kernel.value("require('path').sep")).toBe("'/'");
    expect(await kernel.value("(await import('node:path')).sep")).toBe("'/'");
    expect(await kernel.value("typeof require.resolve('fs')")).toBe("'string'");
  });

  it('hold no names of the kernel but one', async () => {
    expect(await kernel.value("Object.keys(globalThis).filter(n => n.includes('kernel')).length")).toBe('0');
  });
});

describe('process.exit', () => {
  it('ends the cell and not the kernel', async () => {
    await kernel.value('let state = 1');
    const { outcome, stdout, stderr } = await kernel.run(
      "console.log('a'); try { process.exit(0) } catch {} finally { console.log('b') }\nconsole.log('c'); state = 2",
    );
    expect(outcome).toEqual({ status: 'ok' });
    expect(stdout).toBe('a\n');
    expect(stderr).toMatch(/^process\.exit\(0\) ended cell-\d+\.ts/);
    expect(await kernel.value('state')).toBe('1');
  });

  it('with a code other than 0 is an error', async () => {
    expect((await kernel.failure('process.exit(3)')).ename).toBe('ProcessExit');
    expect((await kernel.failure('await null; process.exit(4)')).evalue).toContain('process.exit(4)');
    expect(
      (await kernel.failure('setTimeout(() => process.exit(5), 5); await new Promise(() => {})')).evalue,
    ).toContain('process.exit(5)');
    expect((await kernel.failure('[1].forEach(() => process.exit(6))')).ename).toBe('ProcessExit');
  });
});

describe('late errors', () => {
  it('belong to the cell that caused them, and nothing stops', async () => {
    const { id } = kernel.start(`
      setTimeout(() => { throw new Error('late timer') }, 10);
      Promise.reject(new TypeError('late rejection'));
      require('fs').readFile('/none', (error: Error) => { throw error });
      new (require('events'))().on('error', () => {});
      setTimeout(() => new (require('events'))().emit('error', new Error('late event')), 10); undefined`);
    await kernel.value('await new Promise(r => setTimeout(r, 80))');
    await sleep(20);
    const late = kernel.lateErrors.filter((error) => error.id === id).map(({ error }) => error.evalue);
    expect(late.sort()).toEqual([
      "ENOENT: no such file or directory, open '/none'",
      'late event',
      'late rejection',
      'late timer',
    ]);
    expect(kernel.lateErrors.every((error) => error.id === id)).toBe(true);
    expect(await kernel.value('1 + 1')).toBe('2');
  });

  it('say nothing of Node where a later cell handles a rejection', async () => {
    await kernel.value("const refused = Promise.reject(new Error('no')); undefined");
    const { text, stderr } = await kernel.run(
      "const caught = await refused.catch(() => 'caught'); await new Promise(r => setTimeout(r, 20)); caught",
    );
    expect([text, stderr]).toEqual(["'caught'", '']);
  });
});

describe('what would end the process', () => {
  it('ends the cell: process.abort and process.reallyExit', async () => {
    await kernel.value("let alive = 'alive'; undefined");
    expect((await kernel.failure('process.abort()')).evalue).toContain('process.exit(134)');
    expect((await kernel.failure('(process as any).reallyExit(3)')).evalue).toContain('process.exit(3)');
    expect(await kernel.value('alive')).toBe("'alive'");
  });

  it.each([
    "process.removeAllListeners('uncaughtException'); process.removeAllListeners('unhandledRejection')",
    'process.removeAllListeners()',
    "for (const event of ['uncaughtException', 'unhandledRejection']) for (const f of process.listeners(event as any)) process.off(event as any, f)",
  ])('late errors do not where a cell has said %s', async (code) => {
    await kernel.run(code);
    const { id } = kernel.start(
      "setTimeout(() => { throw new Error('thrown') }, 1); Promise.reject(new Error('rejected')); undefined",
    );
    await kernel.value('await new Promise(r => setTimeout(r, 60))');
    await sleep(20);
    const late = kernel.lateErrors.filter((error) => error.id === id).map(({ error }) => error.evalue);
    expect(late.sort()).toEqual(['rejected', 'thrown']);
  });
});
