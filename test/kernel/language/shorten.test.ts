import fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { CellService } from '../../../kernel/language/service.js';
import { shortenLiterals } from '../../../kernel/language/shorten.js';

const many = (count: number, item: (i: number) => string) => Array.from({ length: count }, (_, i) => item(i));
const ROWS = `const rows = [\n${many(60_000, (i) => `  { id: ${i}, name: "row, ${i}]", xs: [${i}, -3.5e3] },`).join('\n')}\n];`;

describe('large literals', () => {
  test.each([
    ['rows', ROWS],
    ['numbers', `const n = [${many(400_000, String)}];`],
    ['a matrix', `const m = [${many(2000, () => `[${many(200, String)}]`)}];`],
    [
      'a tree',
      `const t = { a: 1, 'b c': { /* ] */ rows: [${many(30_000, (i) => `'it\\'s ${i}'`)}] }, z: null };`,
    ],
    ['JSON in a string', `const j = JSON.parse('[${many(50_000, (i) => `"${i}"`)}]');`],
  ])('%s become short, and every other place stays', (_, code) => {
    const text = `const before = 1;\n${code}\nconst after = 2;`;
    const short = shortenLiterals(text);
    expect(short).toHaveLength(text.length);
    expect(short.replace(/ +/g, ' ').length).toBeLessThan(text.length / 4);
    expect(short.split('\n')).toHaveLength(text.split('\n').length);
    expect(short.indexOf('const after')).toBe(text.indexOf('const after'));
    expect(ts.transpileModule(short, { reportDiagnostics: true }).diagnostics).toEqual([]);
  });

  test('stay whole where somebody writes in them, where they are small, and where they are more than data', () => {
    const cursor = ROWS.indexOf('row, 30000');
    expect(shortenLiterals(ROWS, cursor)).toBe(ROWS);
    for (const code of ['const a = [1, 2, 3];', `const c = [${many(20_000, (i) => `f(${i})`)}];`]) {
      expect(shortenLiterals(code)).toBe(code);
    }
  });

  test('keep the beginning of every part', () => {
    const short = shortenLiterals(`const t = { head: 'x', rows: [${many(30_000, String)}], tail: 1 };`);
    expect(short).toMatch(/^const t = \{ head: 'x', rows: \[0,1,2,.*49,\s+\], tail: 1 \};$/);
  });

  test('of any JSON keep its brackets in balance', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const code = `const a = [${many(3000, (i) => `"${i}"`)}, ${JSON.stringify(value)}, ${many(3000, String)}];`;
        const short = shortenLiterals(code);
        expect(short).toHaveLength(code.length);
        expect(ts.transpileModule(short, { reportDiagnostics: true }).diagnostics).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

test('completion, documentation and checks are bounded with megabytes of literals in earlier cells', () => {
  const service = new CellService(process.cwd());
  const complete = (code: string) => service.complete(code, code.length).items.map(({ name }) => name);
  complete('Mat');
  const time = (action: () => unknown) => {
    const began = performance.now();
    action();
    return performance.now() - began;
  };
  service.add('cell-1.ts', 'const few = [{ id: 1, name: "x", xs: [1] }];');
  const small = time(() => expect(complete('few[0].na')).toEqual(['name']));
  const large = time(() => {
    service.add('cell-2.ts', ROWS);
    expect(complete('rows[0].na')).toEqual(['name']);
    expect(service.check('cell-2.ts')).toEqual([]);
  });
  // 4 MB: TypeScript would need some hundred times as long as for a small one
  expect(large).toBeLessThan(small * 10 + 1000);
});
