/** The ten faults of stock tslab that this kernel was built to be without, each as it was measured there. */
import { describe, expect, it } from 'vitest';
import { Kernel, sleep, useKernel } from '../bridge/client.js';

const { kernel, project } = useKernel(
  {
    'src/x.ts': "import { y } from '@/y';\nexport const x: string = 'x' + y;\n",
    'src/y.ts': "export const y = '1';\n",
    'tsconfig.json': '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
    'notebooks/here.txt': '',
    'node_modules/modern/package.json':
      '{ "name": "modern", "type": "module", "exports": { "types": "./index.d.ts", "import": "./index.js" } }',
    'node_modules/modern/index.js': 'export const modern = import.meta.url.length > 0;\n',
    'node_modules/modern/index.d.ts':
      'export declare const modern: NoSuchType;\nexport type New<const T> = accessor;\n',
  },
  'notebooks',
);

describe('no fault of tslab', () => {
  it('1: cells after a failing one run', async () => {
    const cells = [
      kernel.start("throw new Error('first')"),
      kernel.start('let ran = 1; ran'),
      kernel.start('ran + 1'),
    ];
    const outcomes = await Promise.all(cells.map(({ done }) => done));
    expect(outcomes.map(({ outcome, text }) => text ?? outcome.status)).toEqual(['error', '1', '2']);
  });

  it('2: quick output is not lost, and the cell ends', async () => {
    const { stdout, outcome } = await kernel.run("for (let i = 0; i < 5000; i++) console.log('line ' + i)");
    expect(outcome.status).toBe('ok');
    expect(stdout.split('\n').length).toBe(5001);
  });

  it('3: code means what it means in TypeScript', async () => {
    await kernel.value('const lr = 0.5; let q = 0;');
    expect(await kernel.value('const options = { lr }; options.lr')).toBe('0.5');
    expect(await kernel.value('const obj = { q: 7 }; ({ q } = obj); q')).toBe('7');
    expect(await kernel.value('q')).toBe('7');
    expect(await kernel.value('await (Promise.resolve(8))')).toBe('8');
    expect((await kernel.run('for await (const n of [1]) console.log(n)')).stdout).toBe('1\n');
  });

  it('4: closures see the new value', async () => {
    await kernel.value('const rate=1; function f(){return rate}');
    expect(await kernel.value('rate=2; f()')).toBe('2');
  });

  it('5: a local file may be deleted and made again', async () => {
    project.write('src/z.ts', 'export const z = 1;\n');
    expect(await kernel.value("import { z } from '../src/z'; z")).toBe('1');
    project.delete('src/z.ts');
    await kernel.failure("import { z } from '../src/z'");
    expect(await kernel.value('1 + 1')).toBe('2');
    project.write('src/z.ts', 'export const z = 2;\n');
    expect(await kernel.value("import { z } from '../src/z'; z")).toBe('2');
  });

  it('6: an interrupted loop stops, and prints into no later cell', async () => {
    const loop = kernel.start(
      "while (true) { console.log('loop'); await new Promise(r => setTimeout(r, 2)); }",
    );
    await kernel.until(({ type }) => type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await loop.done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    expect((await kernel.run('await new Promise(r => setTimeout(r, 60))')).outputs).toEqual([]);
    const busy = kernel.start("console.log('began'); await null; while (true) {}");
    await kernel.until(({ type }) => type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await busy.done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
  });

  it('an interrupt ends the child processes of a cell, which starts no others in their place', async () => {
    const cell = kernel.start(`import { spawn } from 'node:child_process';
var ends = [];
const start = () => spawn('sleep', ['60']).on('exit', (_, signal) => { ends.push(signal); start(); });
start();
console.log('began');
await new Promise(() => {});`);
    await kernel.until(({ type }) => type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await cell.done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    expect(await kernel.value('await new Promise(r => setTimeout(r, 500)); ends')).toBe("[ 'SIGTERM' ]");
    expect(await kernel.value("process.getActiveResourcesInfo().includes('ProcessWrap')")).toBe('false');
  });

  it('7: an error names the cell and the line', async () => {
    const { id, done } = kernel.start('interface Long {\n  a: number;\n}\nconst v: Long = null as any;\nv.a');
    expect((await done).traceback).toContain(`cell-${id}.ts:5:3`);
    const asked = kernel.start("prompt('?')");
    await kernel.until(({ type }) => type === 'input-request');
    kernel.send({ type: 'input', text: 'yes' });
    expect((await asked.done).text).toBe("'yes'");
  });

  it('8: files anywhere, paths, reloading, ES modules, import.meta, using, ES2023', async () => {
    expect(await kernel.value("import { x } from '../src/x.ts'; x")).toBe("'x1'");
    project.write('src/y.ts', "export const y = '2';\n");
    expect(await kernel.value("import { x } from '../src/x.ts'; x")).toBe("'x2'");
    expect(await kernel.value("import { modern } from 'modern'; modern")).toBe('true');
    expect(await kernel.value('typeof import.meta.url')).toBe("'string'");
    expect(await kernel.value('[3, 1, 2].toSorted().findLast(n => n < 3)')).toBe('2');
    const { stdout } = await kernel.run(
      "{ using a = { [Symbol.dispose]: () => console.log('closed') }; console.log('open') }",
    );
    expect(stdout).toBe('open\nclosed\n');
  });

  it('9: a type error blocks nothing', async () => {
    expect(await kernel.value("let wrong: number = 'text'; wrong")).toBe("'text'");
    expect(await kernel.value("import * as all from 'modern'; all.modern")).toBe('true');
  });

  it('10: process.exit ends the cell, and a live timer keeps nobody from leaving', async () => {
    const other = new Kernel(project.folder);
    await other.ready;
    await other.value('setInterval(() => {}, 10); let alive = 1');
    await other.run('process.exit()');
    expect(await other.value('alive')).toBe('1');
    await sleep(1);
    other.send({ type: 'shutdown' });
    expect(await other.exited).toBe(0);
  });
});
