import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { KernelClient, streamText } from '../jupyter/client.js';

describe('on the kernel', () => {
  let folder: string;
  let kernel: KernelClient;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-language-'));
    writeFileSync(join(folder, 'shapes.ts'), '/** How many sides. */\nexport const sides: number = 4;\n');
    kernel = await KernelClient.start({ cwd: folder });
  });
  afterAll(() => {
    kernel.close();
    rmSync(folder, { recursive: true });
  });

  const complete = async (code: string, cursor = [...code].length) =>
    (await kernel.ask('complete_request', { code, cursor_pos: cursor })).reply.content;
  const inspect = async (code: string) =>
    (await kernel.ask('inspect_request', { code, cursor_pos: [...code].length, detail_level: 0 })).reply
      .content;

  test('type errors are said right after a cell that succeeds', async () => {
    const { reply } = await kernel.execute('const wrong: string = 1 as any as number; wrong');
    expect(reply.content.status).toBe('ok');
    const warning = await kernel.next(({ type, parent }) => type === 'stream' && parent === reply.parent);
    expect(warning.content.name).toBe('stderr');
    expect(warning.content.text).toMatch(/^cell-1\.ts:1:7 - warning TS2322: /);
  });

  test('a cell that fails is explained', async () => {
    const id = await kernel.send('execute_request', {
      code: 'const n: any = 1;\nconst typo = (n as number).toFixd(2)',
    });
    expect((await kernel.reply(id)).content.ename).toBe('TypeError');
    // before its reply or later: that is for jupyter/explanation.test.ts, because it depends on the machine here
    const { content } = await kernel.next(({ type, parent }) => type === 'stream' && parent === id);
    expect(content.text).toContain("Did you mean 'toFixed'?");
  });

  test('what comes while a cell that has failed is being explained runs', async () => {
    const failing = await kernel.send('execute_request', {
      code: 'const n: string = 1 as any as number; null.x',
    });
    await kernel.next(({ type, parent }) => type === 'error' && parent === failing);
    expect((await kernel.execute('"not skipped"')).reply.content.status).toBe('ok');
  });

  test('neither a cell that fails nor a question waits for the types of many cells before it', async () => {
    const many =
      'const table = { a: { b: [1, "x", { c: 1 as number | string }] } }; table.a.b.map((e) => [e]);';
    await Promise.all(Array.from({ length: 400 }, (_, i) => kernel.execute(`${many} ${i}`)));
    const last = await kernel.send('execute_request', { code: 'const last: string = 1 as any as number' });
    let checked = false;
    void kernel
      .next(({ type, parent }) => type === 'stream' && parent === last)
      .then(() => {
        checked = true;
      });
    await kernel.execute('const few: string[] = []; throw 1');
    expect((await complete('few.pus')).matches).toEqual(['push']);
    expect(checked).toBe(false);
  });

  test('completion by types and by what is there', async () => {
    await kernel.execute("import { sides } from './shapes.ts'; const live: any = { hidden: 1, other: 2 }");
    expect(await complete('sides.toFi')).toMatchObject({
      matches: ['toFixed'],
      cursor_start: 6,
      cursor_end: 10,
    });
    // an `any` has no types, but a value, of which what every object has is no news
    expect((await complete('live.hid')).matches).toEqual(['hidden']);
    expect((await complete('live.')).matches).toEqual(['hidden', 'other']);
    // to TypeScript it is an import
    const [shown] = (await complete('liv')).metadata._jupyter_types_experimental;
    expect(shown).toMatchObject({ text: 'live', type: 'instance' });
    expect((await complete('li')).matches).toContain('live');
    expect(await complete('"😀"; sides.toFi')).toMatchObject({ cursor_start: 11, cursor_end: 15 });
    expect((await complete("import {} from './sha")).matches).toEqual(['shapes']);
    // what types say of it comes in time, but for a machine that is busy
    await vi.waitFor(async () => expect((await complete('"live.hid')).matches).toEqual([]), 20_000);
    // the names of the scope are no members
    expect((await complete('[1].map(String).')).matches).not.toContain('live');
  });

  test('inspection by types and by what is there', async () => {
    const found = await inspect('sides');
    expect(found.found).toBe(true);
    expect(found.data['text/plain']).toContain('sides: number');
    expect(found.data['text/plain']).toContain('How many sides.');
    expect(found.data['text/plain']).toContain('4');
    await kernel.execute('function halve(n: number) { return n / 2 }');
    expect((await inspect('halve')).data['text/plain']).toBe('function halve(n: number): number');
    expect(await inspect('nothingOfThatName')).toMatchObject({ status: 'ok', found: false, data: {} });
  });
});

test('warnings can be waited for, and turned off', async () => {
  const code = 'const wrong: string = 1 as any as number';
  const waiting = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'wait' } });
  expect(streamText(await waiting.execute(code), 'stderr')).toContain('TS2322');
  waiting.close();
  const off = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' } });
  const failed = await off.execute(`${code}; throw 1`);
  expect(streamText(failed, 'stderr')).toBe('');
  off.close();
});
