import { describe, expect, it } from 'vitest';
import { useKernel } from '../bridge/client.js';

const { kernel } = useKernel();

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

describe('a result', () => {
  it('says itself how it is shown', async () => {
    const bundle = (code: string) => kernel.run(code).then(({ data }) => data);
    expect(
      await bundle(
        "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>x</b>', 'text/plain': 'x' }) })",
      ),
    ).toEqual({
      'text/html': '<b>x</b>',
      'text/plain': 'x',
    });
    expect(
      await bundle(
        "class P { async [Symbol.for('Jupyter.display')]() { return { 'text/markdown': '*p*' } } }\nnew P()",
      ),
    ).toEqual({
      'text/markdown': '*p*',
    });
    expect(await bundle("new Proxy({ a: 1 }, { get() { throw new Error('trap') } })")).toEqual({
      'text/plain': expect.stringContaining('a:'),
    });
    const wrong = await kernel.failure("({ [Symbol.for('Jupyter.display')]: () => 'text' })");
    expect(wrong.evalue).toContain(
      "must be an object by MIME type, such as { 'text/html': '…' }; this one is 'text'",
    );
  });

  it.each([
    "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': 1n }) })",
    "display({ 'application/json': { n: 1n } }, { raw: true })",
    "({ $schema: 'https://vega.github.io/schema/vega-lite/v5.json', n: 1n })",
  ])('that cannot be sent is an error, and the kernel goes on: %s', async (code) => {
    expect((await kernel.failure(code)).evalue).toMatch(
      /of a MIME bundle is neither text nor JSON: .*BigInt/,
    );
    expect(await kernel.value('1 + 1')).toBe('2');
  });

  it('that is very large is cut at the end of a line', async () => {
    const large = "Object.fromEntries(Array.from({ length: 20000 }, (_, i) => ['key' + i, 'value ' + i]))";
    const { text } = await kernel.run(large);
    expect(text!.length).toBeLessThan(200_100);
    expect(text).toMatch(/key\d+: 'value \d+',\n… \d+ more characters$/);
  });

  it('that is an image is shown as one', async () => {
    const { data } = await kernel.run(`Buffer.from('${PNG}', 'base64')`);
    expect(data).toEqual({ 'image/png': PNG, 'text/plain': '[image/png, 70 bytes]' });
  });

  it('that is a plot is shown as one', async () => {
    const spec = {
      $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
      mark: 'bar',
      data: { values: [] },
    };
    const { data } = await kernel.run(`(${JSON.stringify(spec)})`);
    expect(data!['application/vnd.vegalite.v5+json']).toEqual(spec);
  });

  it('that is rows is shown as a table', async () => {
    const { data } = await kernel.run("[{ name: '<a>', n: 1.5 }, { name: 'b', n: 20, more: [1] }]");
    expect(data!['text/plain']).toBe('name    n  more\n────  ───  ─────\n<a>   1.5\nb      20  [ 1 ]');
    expect(data!['text/html']).toContain(
      '<td style="text-align:left">&lt;a&gt;</td><td style="text-align:right">1.5</td>',
    );
    const many = await kernel.run('Array.from({ length: 1000 }, (_, i) => ({ i }))');
    expect(many.text).toMatch(/\n… 900 more rows$/);
  });

  it.each(['[]', '[{}]', '[{ a: 1 }, 2]', '[[1]]', '[new Date(0)]', '[new Map()]'])(
    'of other arrays is text: %s',
    async (code) => {
      expect(Object.keys((await kernel.run(code)).data!)).toEqual(['text/plain']);
    },
  );
});

describe('display', () => {
  it('shows values in the order of the code, and replaces them', async () => {
    const { outputs } = await kernel.run(`
      const shown = display({ 'text/html': '<i>1</i>' }, { raw: true, metadata: { isolated: true } });
      console.log('between');
      display(5, { id: 'mine' });
      shown.update({ 'text/html': '<i>2</i>' });
      clearOutput(); clearOutput(true);`);
    const id = (outputs[0] as { displayId: string }).displayId;
    expect(id).toBeTruthy();
    const metadata = { isolated: true };
    expect(outputs).toEqual([
      { type: 'display_data', data: { 'text/html': '<i>1</i>' }, metadata, displayId: id },
      { type: 'stream', name: 'stdout', text: 'between\n' },
      { type: 'display_data', data: { 'text/plain': '5' }, metadata: {}, displayId: 'mine' },
      { type: 'update_display_data', data: { 'text/html': '<i>2</i>' }, metadata, displayId: id },
      { type: 'clear_output', wait: false },
      { type: 'clear_output', wait: true },
    ]);
  });

  it('at the end of a cell shows its value and nothing else', async () => {
    const { outputs, data } = await kernel.run("display('value')");
    expect(outputs).toHaveLength(1);
    expect(data).toBeUndefined();
  });

  it('is there for libraries under a symbol', async () => {
    const { outputs } = await kernel.run("(globalThis as any)[Symbol.for('arclab.kernel.display')](1)");
    expect(outputs).toMatchObject([{ type: 'display_data', data: { 'text/plain': '1' } }]);
  });
});

describe('progress', () => {
  it('is one output that moves', async () => {
    const { outputs, stdout } = await kernel.run(`
      let sum = 0;
      for (const n of progress([1, 2, 3, 4], { label: 'adding' })) { sum += n; await new Promise(r => setTimeout(r, 110)); }
      console.log(sum)`);
    expect(stdout).toBe('10\n');
    const bars = outputs.filter(({ type }) => type.endsWith('display_data')) as {
      type: string;
      data: Record<string, string>;
    }[];
    expect(bars[0]!.type).toBe('display_data');
    expect(bars.slice(1).every(({ type }) => type === 'update_display_data')).toBe(true);
    expect(bars.length).toBeGreaterThan(3);
    expect(bars[0]!.data['text/plain']).toMatch(/^adding ░{24} 0\/4 0% 0:00$/);
    expect(bars.at(-1)!.data['text/plain']).toMatch(/^adding █{24} 4\/4 100% 0:0\d$/);
    expect(bars.at(-1)!.data['text/html']).toContain('<progress max="1" value="1">');
  });

  it('goes by hand and over what has no length', async () => {
    const { outputs } = await kernel.run(`
      const bar = progress(2); bar.advance(1, 'loss 3'); bar.set(2, 'loss 2');
      async function* three() { yield 1; yield 2; yield 3 }
      for await (const _ of progress(three())); undefined`);
    const texts = outputs.map((output) => ('data' in output ? String(output.data['text/plain']) : ''));
    expect(texts).toContainEqual(expect.stringMatching(/2\/2 100% 0:00 loss 2$/));
    expect(texts.at(-1)).toMatch(/^3 0:00$/);
  });

  it('shows the last step also where the next is long in coming, or never comes', async () => {
    const { outputs } = await kernel.run(`
      const slow = progress(9); slow.advance(1); slow.advance(3, 'slow');
      await new Promise((r) => setTimeout(r, 250)); console.log('waited');
      const left = progress(9); left.advance(5, 'left'); undefined`);
    const texts = outputs.map((output) => ('data' in output ? String(output.data['text/plain']) : 'waited'));
    expect(texts).toEqual([
      expect.stringContaining('0/9'),
      expect.stringMatching(/4\/9 .* slow$/),
      'waited',
      expect.stringContaining('0/9'),
      expect.stringMatching(/5\/9 .* left$/),
    ]);
  });

  it('of a hundred thousand steps is not a hundred thousand outputs', async () => {
    const { outputs } = await kernel.run('for (const _ of progress(new Set(Array(1e5).keys()))); undefined');
    expect(outputs.length).toBeLessThan(50);
  });
});

describe("tslab's display", () => {
  it('knows every kind of tslab', async () => {
    const { outputs } = await kernel.run(`
      import * as tslab from 'tslab';
      const { display: d } = tslab, bytes = new Uint8Array([1, 2]);
      d.javascript('1'); d.html('h'); d.markdown('m'); d.latex('l'); d.svg('<svg/>'); d.text('t');
      d.png(bytes); d.jpeg(bytes); d.gif(bytes); d.pdf(bytes); d.webp(bytes); d.raw('a/b', 'c'); undefined`);
    expect(outputs.map((output) => ('data' in output ? output.data : output))).toEqual([
      { 'text/javascript': '1' },
      { 'text/html': 'h' },
      { 'text/markdown': 'm' },
      { 'text/latex': 'l' },
      { 'image/svg+xml': '<svg/>' },
      { 'text/plain': 't' },
      { 'image/png': 'AQI=' },
      { 'image/jpeg': 'AQI=' },
      { 'image/gif': 'AQI=' },
      { 'application/pdf': 'AQI=' },
      { 'image/webp': 'AQI=' },
      { 'a/b': 'c' },
    ]);
  });

  it('replaces what a new display has shown', async () => {
    const { outputs } = await kernel.run(
      "import { newDisplay } from 'tslab'; const one = newDisplay(); one.html('1'); one.text('2'); undefined",
    );
    expect(outputs.map(({ type }) => type)).toEqual(['display_data', 'update_display_data']);
    expect(new Set(outputs.map((output) => 'displayId' in output && output.displayId)).size).toBe(1);
  });
});
