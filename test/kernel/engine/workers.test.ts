import { describe, expect, it } from 'vitest';
import { useKernel } from '../bridge/client.js';

const { kernel } = useKernel({
  'tsconfig.json': '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
  'lib/values.ts': 'export enum Kind { First = "first" }\n',
  'worker.ts': `import { parentPort, workerData, isMainThread } from 'node:worker_threads';
import { Kind } from '@lib/values';
const later = await import('./lib/values');
if (workerData?.fail) throw new Error('on purpose');
const found: object = { kind: Kind.First, later: later.Kind.First, workerData, isMainThread };
parentPort?.postMessage(found);
process.send?.({ ...found, args: process.argv.slice(2) });
`,
  'node_modules/pool/package.json': '{ "name": "pool" }',
  'node_modules/pool/index.js':
    "exports.run = () => new (require('worker_threads').Worker)(require.resolve('./worker.js'));\n",
  'node_modules/pool/worker.js': "require('worker_threads').parentPort.postMessage('of a package');\n",
});

const MESSAGE =
  "import { Worker } from 'node:worker_threads'; import { fork } from 'node:child_process'; import { run } from 'pool';" +
  "const message = (w: any) => new Promise<any>((r, j) => { w.once('message', r); w.once('error', j); });";

describe('a script in TypeScript', () => {
  it.each([
    ["new Worker('./worker.ts', { workerData: 1 })", { workerData: 1, isMainThread: false }],
    ['new Worker(new URL("./worker.ts", import.meta.url))', { isMainThread: false }],
    ["new Worker(__dirname + '/worker.ts', { workerData: { a: [2] } })", { workerData: { a: [2] } }],
    ["fork('./worker.ts', ['x'])", { isMainThread: true, args: ['x'] }],
  ])('%s', async (code, expected) => {
    await kernel.run(MESSAGE);
    const text = await kernel.value(`JSON.stringify(await message(${code}))`);
    expect(JSON.parse(text!.slice(1, -1))).toMatchObject({ kind: 'first', later: 'first', ...expected });
  });

  it('fails with the place', async () => {
    await kernel.run(MESSAGE);
    const { evalue, traceback } = await kernel.failure(
      "await message(new Worker('./worker.ts', { workerData: { fail: true } }))",
    );
    expect(evalue).toBe('on purpose');
    expect(traceback.join('\n')).toMatch(/at worker\.ts:4:/);
  });

  it('leaves all other scripts to Node', async () => {
    await kernel.run(MESSAGE);
    const code = 'require("worker_threads").parentPort.postMessage("evaluated")';
    expect(await kernel.value(`await message(new Worker('${code}', { eval: true }))`)).toBe("'evaluated'");
    expect(await kernel.value('await message(run())')).toBe("'of a package'");
  });
});
