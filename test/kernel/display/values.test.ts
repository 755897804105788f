/**
 * Values that libraries make, by small objects of the same shape; the libraries themselves need not be there. With those
 * that npm has, scripts/check-values.mjs does the same.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { statistics } from '../../../kernel/display/numbers.js';
import { sleep, useKernel } from '../bridge/client.js';

const { kernel } = useKernel({
  'node_modules/shows/package.json': '{ "name": "shows", "main": "index.js" }',
  'node_modules/shows/index.js': `
    const show = globalThis[Symbol.for('arclab.kernel.display')];
    exports.Point = class Point { constructor(x) { this.x = x } };
    show?.register((value) => value instanceof exports.Point ? { 'text/html': '<p>' + value.x + '</p>' } : undefined);`,
});

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const bundle = async (code: string) => {
  const { data, traceback } = await kernel.run(code);
  expect(traceback).toBe('');
  return data!;
};
const rowsOf = (html: unknown) =>
  [...String(html).matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell),
  );

describe('markup', () => {
  it('of a DOM is shown: an SVG as an image, whole also where the page leaves the namespace out', async () => {
    const node = (name: string, html: string) =>
      `({ nodeType: 1, localName: '${name}', outerHTML: '${html}' })`;
    expect(await bundle(node('svg', '<svg width="1"><path/></svg>'))).toMatchObject({
      'image/svg+xml': '<svg xmlns="http://www.w3.org/2000/svg" width="1"><path/></svg>',
    });
    expect(await bundle(node('figure', '<figure>x</figure>'))).toMatchObject({
      'text/html': '<figure>x</figure>',
    });
    expect(
      await bundle(`({ nodeType: 9, documentElement: ${node('html', '<html></html>')} })`),
    ).toMatchObject({
      'text/html': '<html></html>',
    });
    const nodes = `[${node('b', '<b>1</b>')}, { nodeType: 3, textContent: ' and ' }, ${node('i', '<i>2</i>')}]`;
    expect(await bundle(`({ nodeType: 11, childNodes: ${nodes} })`)).toMatchObject({
      'text/html': '<b>1</b> and <i>2</i>',
    });
  });

  it('of toHTML() and toSpec() is shown', async () => {
    expect(await bundle("({ toHTML: () => '<b>x</b>' })")).toMatchObject({ 'text/html': '<b>x</b>' });
    expect(await bundle("({ toSpec: () => ({ mark: 'bar' }) })")).toMatchObject({
      'application/vnd.vegalite.v5+json': { mark: 'bar' },
    });
    expect(
      await bundle("({ toSpec: () => ({ $schema: 'https://vega.github.io/schema/vega/v6.json' }) })"),
    ).toHaveProperty(['application/vnd.vega.v6+json']);
  });

  it('of the tags is shown, with values, lists and markup in it', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the template is the cell's
    expect(await bundle('html`<ul>${[1, 2].map(n => html`<li>${n}</li>`)}</ul>`')).toEqual({
      'text/html': '<ul><li>1</li><li>2</li></ul>',
      'text/plain': '<ul><li>1</li><li>2</li></ul>',
    });
    expect(await bundle("md('# A')")).toMatchObject({ 'text/markdown': '# A' });
    expect(await bundle('svg`<svg/>`')).toMatchObject({ 'image/svg+xml': '<svg/>' });
    expect(await kernel.value('const html = 1; html')).toBe('1');
  });
});

describe('images', () => {
  it.each([
    [
      'of a canvas',
      `({ width: 2, height: 1, getContext() {}, toDataURL: () => 'data:image/png;base64,${PNG}' })`,
    ],
    [
      'of one that takes its time',
      `({ getContext() {}, toDataURL: async () => 'data:image/png;base64,${PNG}' })`,
    ],
    [
      'of one with a buffer only',
      `({ getContext() {}, toBuffer: (type) => Buffer.from('${PNG}', 'base64') })`,
    ],
    [
      'of an image library',
      `(() => { const i = { metadata() {}, toFormat() {}, clone: () => i, png: () => i, toBuffer: async () => Buffer.from('${PNG}', 'base64') }; return i })()`,
    ],
    ['in an ArrayBuffer', `new Uint8Array(Buffer.from('${PNG}', 'base64')).buffer`],
    ['in a blob', `new Blob([Buffer.from('${PNG}', 'base64')], { type: 'image/png' })`],
  ])('%s', async (_, code) => {
    expect(await bundle(code)).toMatchObject({
      'image/png': PNG,
      'text/plain': expect.stringContaining('image/png'),
    });
  });

  it('that fail are shown as text, and the kernel goes on', async () => {
    expect(await bundle("({ getContext() {}, toDataURL() { throw new Error('no') } })")).toEqual({
      'text/plain': expect.stringContaining('toDataURL'),
    });
    expect(await bundle("({ getContext() {}, toDataURL: async () => { throw new Error('no') } })")).toEqual({
      'text/plain': expect.stringContaining('toDataURL'),
    });
  });
});

describe('data frames', () => {
  const cases = {
    arquero:
      "({ numRows: () => 2, columnNames: () => ['a', 'b'], objects: () => [{ a: 1, b: 'x' }, { a: 2, b: 'y' }], toHTML: undefined })",
    danfojs: "({ columns: ['a', 'b'], values: [[1, 'x'], [2, 'y']], shape: [2, 2], print() {} })",
    polars:
      "(() => { const f = { columns: ['a', 'b'], height: 2, head: () => f, toRecords: () => [{ a: 1, b: 'x' }, { a: 2, b: 'y' }] }; return f })()",
    duckdb: "({ columnNames: () => ['a', 'b'], getRowObjects: () => [{ a: 1, b: 'x' }, { a: 2, b: 'y' }] })",
    arrow:
      "({ numRows: 2, schema: { fields: [{ name: 'a' }, { name: 'b' }] }, get: (i) => ({ toJSON: () => [{ a: 1, b: 'x' }, { a: 2, b: 'y' }][i] }) })",
    'rows in a set': "new Set([{ a: 1, b: 'x' }, { a: 2, b: 'y' }])",
  };
  it.each(Object.entries(cases))('of the shape of %s', async (_, code) => {
    const { 'text/html': html, 'text/plain': text } = await bundle(code);
    expect(rowsOf(html)).toEqual([
      ['a', 'b'],
      ['1', 'x'],
      ['2', 'y'],
    ]);
    expect(text).toBe('a  b\n─  ─\n1  x\n2  y');
  });

  it('with HTML of their own, as arquero has, are a table as text', async () => {
    const own = cases.arquero.replace('toHTML: undefined', "toHTML: () => '<table>own</table>'");
    expect(await bundle(own)).toEqual({
      'text/html': '<table>own</table>',
      'text/plain': 'a  b\n─  ─\n1  x\n2  y',
    });
  });

  it('have their columns in order where the names are numbers, too', async () => {
    const series = "({ columns: ['0'], values: [7, 8], shape: [2, 1], index: ['x', 'y'], print() {} })";
    expect((await bundle(series))['text/plain']).toBe('   0\n─  ─\nx  7\ny  8');
    const years =
      "({ columnNames: () => ['name', '2020'], getRowObjects: () => [{ name: 'a', 2020: 1, more: 2 }] })";
    expect((await bundle(years))['text/plain']).toMatch(/^name {2}2020 {2}more\n/);
  });

  it('tell how many rows are left out, and their columns where there are none', async () => {
    const large =
      "({ numRows: () => 5000, columnNames: () => ['a'], objects: ({ limit }) => Array.from({ length: limit }, (_, a) => ({ a })) })";
    expect((await bundle(large))['text/plain']).toMatch(/\n… 4900 more rows$/);
    const empty = "({ numRows: () => 0, columnNames: () => ['a', 'b'], objects: () => [] })";
    expect((await bundle(empty))['text/plain']).toMatch(/^a {2}b\n[\s\S]*… no rows$/);
  });

  it('are made of maps', async () => {
    expect(rowsOf((await bundle("new Map([['k', 1], ['l', 2]])"))['text/html'])).toEqual([
      ['key', 'value'],
      ['k', '1'],
      ['l', '2'],
    ]);
    expect(rowsOf((await bundle("new Map([['k', { n: 1 }]])"))['text/html'])).toEqual([
      ['key', 'n'],
      ['k', '1'],
    ]);
    expect(await bundle('new Map()')).toEqual({ 'text/plain': 'Map(0) {}' });
    expect(await bundle('new Set([1, 2])')).toEqual({ 'text/plain': 'Set(2) { 1, 2 }' });
  });
});

describe('numbers', () => {
  it('have statistics, without what is no number', () => {
    expect(statistics([1, 2, 3, 4])).toBe('min 1, max 4, mean 2.5, std 1.118');
    expect(statistics([1e9 + 1, 1e9 + 2, 1e9 + 3])).toContain('std 0.8165');
    expect(statistics([Number.NaN, 5])).toBe('min 5, max 5, mean 5, std 0, 1 NaN');
    expect(statistics([Number.NaN])).toBe('1 NaN');
    expect(statistics(new BigInt64Array([1n, 3n]))).toBe('min 1, max 3, mean 2, std 1');
  });

  it('in typed arrays and tensors are told with shape and statistics', async () => {
    expect((await bundle('new Float32Array(1000).fill(0.5)'))['text/plain']).toMatch(
      /^Float32Array\(1000\) {2}min 0\.5, max 0\.5, mean 0\.5, std 0\n\[[\s\S]*900 more items\n\]$/,
    );
    expect(await bundle('new Int8Array(3)')).toEqual({ 'text/plain': 'Int8Array(3) [ 0, 0, 0 ]' });
    const tensor =
      "({ shape: [2, 2], dtype: 'float32', dataSync: () => new Float32Array([1, 2, 3, 4]), toString: () => 'Tensor\\n    [[1, 2],\\n     [3, 4]]' })";
    expect(await bundle(tensor)).toEqual({
      'text/plain': 'Tensor float32 [2, 2]  min 1, max 4, mean 2.5, std 1.118\n[[1, 2],\n [3, 4]]',
    });
    expect(
      await bundle(
        "({ shape: [9], dtype: 'int32', isDisposed: true, dataSync() { throw 1 }, toString() { throw 1 } })",
      ),
    ).toEqual({
      'text/plain': 'Tensor int32 [9], disposed',
    });
  });

  it('in tensors of tfjs are told as those of its shape are', async () => {
    const modules = fileURLToPath(new URL('../../../node_modules/@tensorflow/', import.meta.url));
    const load = `const tf = require('${modules}tfjs-core'); require('${modules}tfjs-backend-cpu');`;
    expect(await bundle(`${load} tf.tensor2d([[1, 2], [3, 4]])`)).toEqual({
      'text/plain': 'Tensor float32 [2, 2]  min 1, max 4, mean 2.5, std 1.118\n[[1, 2],\n [3, 4]]',
    });
    expect(await bundle('const gone = tf.zeros([9], "int32"); gone.dispose(); gone')).toEqual({
      'text/plain': 'Tensor int32 [9], disposed',
    });
  });

  it('in large nested arrays are shortened', async () => {
    const text = (await bundle('Array.from({ length: 300 }, () => Array(300).fill(1))'))[
      'text/plain'
    ] as string;
    expect(text.length).toBeLessThan(20_000);
    expect(text).toContain('more items');
  });
});

describe('what comes later', () => {
  const shown = async (code: string) => {
    const { id, done } = kernel.start(code);
    await done;
    await sleep(150);
    return kernel.answers.flatMap((answer) =>
      answer.type === 'output' && answer.id === id && 'data' in answer.output
        ? [answer.output.data['text/html'] ?? answer.output.data['text/plain']]
        : [],
    );
  };

  it('takes the place of a promise that is displayed', async () => {
    expect(await shown("display(new Promise(r => setTimeout(r, 30, Symbol.for('there'))))")).toEqual([
      'Promise, pending',
      'Symbol(there)',
    ]);
    expect((await shown("display(Promise.reject(new Error('not there')))")).at(-1)).toMatch(
      /^Promise, rejected: .*not there/,
    );
  });

  it('takes the place of what an async iterable gave before', async () => {
    expect(await shown('display((async function* () { yield 1; yield [{ a: 2 }] })())')).toEqual([
      '…',
      '1',
      expect.stringContaining('<table>'),
    ]);
    // a result is not read by showing it
    expect(await kernel.value('const later = (async function* () { yield 1 })(); later')).toContain(
      'AsyncGenerator',
    );
    expect(await kernel.value('(await later.next()).value')).toBe('1');
  });
});

describe('formatters', () => {
  it('of a cell go before what the kernel knows, until they are removed', async () => {
    await kernel.run(
      "const remove = display.register(v => v instanceof Map ? { 'text/plain': 'a map' } : undefined)",
    );
    expect(await bundle('new Map([[1, 2]])')).toEqual({ 'text/plain': 'a map' });
    await kernel.run('remove()');
    expect(await bundle('new Map([[1, 2]])')).toHaveProperty(['text/html']);
  });

  it('of a library are asked', async () => {
    expect(await bundle("import { Point } from 'shows'; new Point(3)")).toEqual({ 'text/html': '<p>3</p>' });
  });

  it('that are wrong are errors of the cell', async () => {
    await kernel.run(
      "const off = display.register(v => { if (v instanceof Date) throw new Error('formatter') })",
    );
    expect((await kernel.failure('new Date()')).evalue).toBe('formatter');
    await kernel.run('off()');
    expect((await kernel.failure('display.register(1 as any)')).evalue).toContain('expects a function');
  });
});

describe('the last result', () => {
  it('is _, and results of nothing leave it', async () => {
    await kernel.run('6 * 7');
    await kernel.run('let nothing = 1');
    expect(await kernel.value('_ + 1')).toBe('43');
    expect(await kernel.value('_')).toBe('43');
  });

  it('gives way to an assignment, a declaration and an import of that name', async () => {
    await kernel.run("_ = 'assigned'");
    await kernel.run('1');
    expect(await kernel.value('_')).toBe("'assigned'");
    await kernel.run("const _ = 'declared'");
    await kernel.run('1');
    expect(await kernel.value('_')).toBe("'declared'");
    await kernel.run("import _ from 'node:path'");
    expect(await kernel.value('typeof _.join')).toBe("'function'");
  });
});
