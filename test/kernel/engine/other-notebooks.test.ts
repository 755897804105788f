/** What notebooks made for Deno and IPython rest on. */
import { describe, expect, it } from 'vitest';
import { compileCell } from '../../../kernel/engine/cell-code.js';
import { stripTypes } from '../../../kernel/engine/strip.js';
import { sleep, useKernel } from '../bridge/client.js';

const PACKAGE = (version: string) =>
  `{ "name": "dep", "version": "${version}", "type": "module", "exports": { ".": "./index.js", "./sub": "./sub.js" } }`;
const { kernel, project } = useKernel({
  'node_modules/dep/package.json': PACKAGE('4.17.2'),
  'node_modules/dep/index.js': "export default 'dep'; export const named = 1;\n",
  'node_modules/dep/sub.js': "export const sub = 'sub';\n",
  'node_modules/@scope/dep/package.json': '{ "name": "@scope/dep", "version": "0.3.1", "main": "index.js" }',
  'node_modules/@scope/dep/index.js': 'exports.scoped = 2;\n',
  'lib/uses.ts': "import { named } from 'npm:dep@4'; export const used: number = named;\n",
  'loaded.ts': 'const loaded = 1;\n',
  'empty.png': '',
});

describe('npm: in imports', () => {
  it.each([
    ["import dep from 'npm:dep'; dep", "'dep'"],
    ["import dep2 from 'npm:dep@4'; dep2", "'dep'"],
    ["import { named } from 'npm:/dep@^4.17.1'; named", '1'],
    ["import { sub } from 'npm:dep@~4.17/sub'; sub", "'sub'"],
    ["import { scoped } from 'npm:@scope/dep@^0.3.0'; scoped", '2'],
    ["(await import('npm:dep@>=2')).named", '1'],
    ["import { used } from './lib/uses'; used", '1'],
    ["import.meta.resolve('npm:dep').endsWith('node_modules/dep/index.js')", 'true'],
  ])('%s', async (code, text) => {
    expect(await kernel.value(code)).toBe(text);
  });

  it.each([
    ["import 'npm:absent@2'", 'npm install absent@2'],
    ["import 'npm:dep@5'", 'than 4.17.2, which is installed: npm install dep@5'],
    ["import 'npm:dep@^4.18'", 'npm install dep@^4.18'],
    ["import 'npm:@scope/dep@^0.2.0'", 'npm install @scope/dep@^0.2.0'],
    ["import 'npm:'", 'expected npm:name'],
  ])('%s is an error that says what to install', async (code, text) => {
    const { ename, evalue, traceback } = await kernel.failure(code);
    expect([ename, evalue]).toEqual(['ModuleNotFoundError', expect.stringContaining(text)]);
    expect(traceback[0]).toMatch(/^cell-\d+\.ts:1:8$/);
  });
});

describe('Deno.jupyter', () => {
  it('shows things', async () => {
    const { outputs, outcome } = await kernel.run(`
      const { display, html, md } = Deno.jupyter;
      await display(html\`<b>\${1 + 1}</b>\`, { display_id: 'one' });
      await display({ 'text/plain': 'raw' }, { raw: true });
      display(md('*again*'), { update: true, display_id: 'one' })`);
    expect(outcome).toEqual({ status: 'ok' });
    expect(outputs).toMatchObject([
      { type: 'display_data', displayId: 'one', data: { 'text/html': '<b>2</b>' } },
      { type: 'display_data', data: { 'text/plain': 'raw' } },
      { type: 'update_display_data', displayId: 'one', data: { 'text/markdown': '*again*' } },
    ]);
    const shows = "class P { [Deno.jupyter.$display]() { return { 'text/plain': 'P!' } } }\nnew P()";
    expect(await kernel.value(shows)).toBe('P!');
    const png = 'iVBORw0KGgoAAAANSUhEUg==';
    const code = `require('fs').writeFileSync('dot.png', Buffer.from('${png}', 'base64')); Deno.jupyter.image`;
    for (const source of ["'dot.png'", "require('fs').readFileSync('dot.png')"])
      expect((await kernel.run(`${code}(${source})`)).data).toMatchObject({ 'image/png': png });
    expect((await kernel.run('Deno.jupyter.svg`<svg/>`')).data).toMatchObject({ 'image/svg+xml': '<svg/>' });
    expect((await kernel.failure("Deno.jupyter.image('empty.png')")).evalue).toContain(
      'empty.png: expected an image',
    );
  });

  it('is no global, by which libraries would know Deno, and gives way to a name of the cell', async () => {
    expect(
      await kernel.value(
        "typeof Deno + typeof globalThis.Deno + typeof require('node:vm').runInThisContext('typeof Deno')",
      ),
    ).toBe("'undefinedundefinedstring'");
    expect((await kernel.failure('Deno.readTextFile("a")')).evalue).toMatch(
      /^Deno\.readTextFile is not there: this is Node/,
    );
    expect(await kernel.value('{ const Deno = { own: 5 }; globalThis.seen = Deno.own }; seen')).toBe('5');
  });
});

describe('lines that are no code', () => {
  it('run commands, whose output appears as it comes', async () => {
    const { stdout, stderr, outcome } = await kernel.run(
      'const before = 1\n!echo "it\'s $((before + 2))" && pwd\n  !no-such-command-1 x y',
    );
    expect(outcome.status).toBe('ok');
    expect(stdout).toBe(`it's 2\n${await kernel.value('process.cwd()').then((cwd) => cwd!.slice(1, -1))}\n`);
    expect(stderr).toMatch(/not found[\s\S]*ended with exit code 127\n$/);
  });

  it.each([
    ['%time 6 * 7', '42', /^time: [\d.]+ ms\n$/],
    [
      '%time await new Promise(r => setTimeout(r, 30, "late"));',
      "'late'",
      /^time: (2[89]|[3-9]\d|\d{3,})(\.\d+)? ms\n$/,
    ],
    ['%time const timed = 3\ntimed', '3', /^time: /],
    ['%pwd', undefined, /^\/.*\n$/],
    ['%env ARCLAB_TEST_NAME=a b\n%env ARCLAB_TEST_NAME', undefined, /^ARCLAB_TEST_NAME=a b\n$/],
    ['%sh ls loaded.ts', undefined, /^loaded\.ts\n$/],
    ['%cd lib\n%cd ..', undefined, /lib\n/],
  ])('%s', async (code, text, printed) => {
    const ran = await kernel.run(code);
    expect(ran.traceback).toBe('');
    expect(ran.text).toBe(text);
    expect(ran.stdout).toMatch(printed);
  });

  it('list variables and load files', async () => {
    await kernel.run('const listed = [1, 2]; class Listed {}');
    const { stdout } = await kernel.run('%who');
    expect(stdout).toMatch(/^name +type +value\n/);
    expect(stdout).toMatch(/\nlisted +Array +\[ 1, 2 \]\n/);
    expect((await kernel.run('%load loaded.ts')).outcome).toEqual({
      status: 'ok',
      nextInput: 'const loaded = 1;\n',
    });
    expect((await kernel.failure('%load absent.ts')).evalue).toContain('absent.ts');
  });

  it('are TypeScript where they can be', async () => {
    expect(await kernel.value('let x = 7\n% 4')).toBeUndefined();
    expect(await kernel.value('let t = `\n!ls /tmp\n%who\n`; t.length')).toBe('15');
    expect(await kernel.value('!x')).toBe('false');
  });

  it('leave errors where they are', async () => {
    const place = async (code: string) =>
      (await kernel.failure(code)).traceback[0]!.replace(/^cell-\d+/, 'cell');
    expect(await place('!echo a b\nnowhere')).toBe('cell.ts:2:1');
    expect(await place('!echo a b\nconst bad = ')).toBe('cell.ts:2:13');
    expect(await place('%time nowhere.x')).toBe('cell.ts:1:1');
    expect(await place("!echo a b\nimport 'absent-package'")).toBe('cell.ts:2:8');
    const { ename, evalue } = await kernel.failure('%unknown x');
    expect([ename, evalue]).toEqual([
      'SyntaxError',
      expect.stringContaining('%unknown is not known; known are %sh'),
    ]);
  });

  it('end with an interrupt', async () => {
    const { done } = kernel.start('!echo begun && sleep 100');
    await kernel.until((answer) => answer.type === 'output' && JSON.stringify(answer).includes('begun'));
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    await sleep(50);
    expect(
      await kernel.value(
        "require('child_process').spawnSync('pgrep', ['-P', String(process.pid), 'sleep']).status",
      ),
    ).toBe('1');
  });

  it('cost nothing where there are none', () => {
    let strips = 0;
    const strip: typeof stripTypes = (...given) => {
      strips++;
      return stripTypes(...given);
    };
    compileCell('const a = 1; !a', 'a.ts', strip);
    expect(strips).toBe(1);
  });
});

it('packages that change are what is asked for', async () => {
  project.write('node_modules/dep/package.json', PACKAGE('5.0.0'));
  expect((await kernel.failure("import 'npm:dep@4'")).evalue).toContain('5.0.0');
});
