import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../training/temporary.js';
import { sleep, useKernel } from '../bridge/client.js';

const KOFFI = fileURLToPath(new URL('../../../node_modules/koffi', import.meta.url));
const { kernel } = useKernel();

describe('output', () => {
  it('arrives while the cell still computes', async () => {
    // it ends when its output has been seen
    const seen = join(temporaryFolder(), 'seen');
    const { done } = kernel.start(
      `const { existsSync } = require('fs'); console.log('first'); while (!existsSync(${JSON.stringify(seen)})); 'end'`,
    );
    await kernel.until((answer) => answer.type === 'output');
    writeFileSync(seen, '');
    expect((await done).text).toBe("'end'");
  });

  it('of 100,000 calls of console.log is complete and in order', async () => {
    const { stdout } = await kernel.run('for (let i = 0; i < 100_000; i++) console.log(i)');
    expect(stdout).toBe(Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join(''));
  });

  it('of 20 MB in one string is whole, and memory does not grow with it', async () => {
    const { stdout, text } = await kernel.run(
      "process.stdout.write('ä€😀x'.repeat(2_000_000)); Math.round(process.memoryUsage().rss / 2 ** 20)",
    );
    expect(Buffer.byteLength(stdout)).toBe(20_000_000);
    const sha = (value: string) => createHash('sha1').update(value).digest('hex');
    expect(sha(stdout)).toBe(sha('ä€😀x'.repeat(2_000_000)));
    expect(Number(text)).toBeLessThan(400);
  });

  it('keeps the order of streams, display and child processes', async () => {
    const { outputs } = await kernel.run(`
      console.log('one');
      require('child_process').execSync('echo two', { stdio: 'inherit' });
      console.error('three');
      display('four');
      require('fs').writeSync(1, 'five\\n');
      console.log('six');`);
    const shown = outputs.map((output) => (output.type === 'stream' ? output.text : output.type));
    expect(shown.join('|').replaceAll('\n|', '\n')).toBe('one\ntwo\nthree\ndisplay_data|five\nsix\n');
  });

  it('of a child process is seen while it runs', async () => {
    const seen = join(temporaryFolder(), 'seen');
    const command = `echo now; until [ -e '${seen}' ]; do sleep 0.05; done; echo later >&2`;
    const { id, done } = kernel.start(
      `require('child_process').execSync(${JSON.stringify(command)}, { stdio: 'inherit' })`,
    );
    await kernel.until((answer) => answer.type === 'output' && answer.id === id);
    writeFileSync(seen, '');
    expect(await done).toMatchObject({ stdout: 'now\n', stderr: 'later\n' });
  });

  it('of a native library is in its place', async () => {
    const { stdout } = await kernel.run(`
      const printf = require(${JSON.stringify(KOFFI)}).load(null).func('int printf(const char *, ...)');
      console.log('before'); printf('native '); console.log('between'); printf('last'); undefined`);
    expect(stdout).toBe('before\nnative between\nlast');
  });

  it('of 10 MB from a child process is complete', async () => {
    const { stdout } = await kernel.run(
      `require('child_process').execSync('head -c 10000000 /dev/zero | tr "\\\\0" x', { stdio: 'inherit' })`,
    );
    expect(stdout.length).toBe(10_000_000);
  });

  it('belongs to the cell that started it', async () => {
    const { id } = kernel.start(`
      setTimeout(() => console.log('timer'), 40);
      new Promise(r => setTimeout(r, 40)).then(() => console.log('promise'));
      require('fs').readFile('/etc/hosts', () => setTimeout(() => console.log('callback'), 40));
      require('child_process').exec('sleep 0.05; echo child', (_e: any, out: string) => console.log(out.trim()));
      undefined`);
    expect((await kernel.run("await new Promise(r => setTimeout(r, 300)); console.log('mine')")).stdout).toBe(
      'mine\n',
    );
    await sleep(20);
    const late = kernel.answers.flatMap((answer) =>
      answer.type === 'output' && answer.id === id && answer.output.type === 'stream'
        ? [answer.output.text]
        : [],
    );
    expect(late.join('').split('\n').filter(Boolean).sort()).toEqual([
      'callback',
      'child',
      'promise',
      'timer',
    ]);
  });

  it('takes bytes and encodings as a stream does', async () => {
    const { stdout } = await kernel.run(`
      process.stdout.write(new Uint8Array([0xe2, 0x82])); process.stdout.write(new Uint8Array([0xac]));
      process.stdout.write('6869', 'hex'); await new Promise<void>(r => process.stdout.write('!', () => r()));`);
    expect(stdout).toBe('€hi!');
  });

  it.each([
    ["process.stdout.end('last\\n')"],
    ["await new Promise<void>(r => process.stdout.end('last\\n', 'utf8', () => r()))"],
    [
      "const over = new Promise<void>(r => process.stdout.once('finish', r)); process.stdout.end('last\\n'); await over",
    ],
    ["await pipeline(Readable.from(['la', 'st\\n']), process.stdout)"],
    ["await Promise.all(['la', 'st\\n'].map(text => pipeline(Readable.from([text]), process.stdout)))"],
    ["const web = Writable.toWeb(process.stdout).getWriter(); await web.write('last\\n'); await web.close()"],
    ["Readable.from(['last\\n']).pipe(process.stdout); await new Promise(r => setTimeout(r, 50))"],
    ["process.stdout.write('last\\n'); process.stdout.destroy()"],
  ])('ends for who waits for it, and goes on in the next cell: %s', async (code) => {
    await kernel.run(
      "import { Readable, Writable } from 'node:stream'; import { pipeline } from 'node:stream/promises'",
    );
    const { outcome, stdout, traceback } = await kernel.run(code);
    expect(outcome.status, traceback).toBe('ok');
    expect(stdout).toBe('last\n');
    expect((await kernel.run("console.log('next')")).stdout).toBe('next\n');
  });
});

describe('a kernel', () => {
  it('grows by less than 50 MB over 1,000 cells', async () => {
    const rss = async () => Number(await kernel.value('globalThis.gc?.(); process.memoryUsage().rss'));
    for (let i = 0; i < 50; i++) await kernel.run(`const warm${i} = { i: ${i} }; warm${i}`);
    const before = await rss();
    for (let i = 0; i < 1000; i++)
      await kernel.run(`const v = { i: ${i}, a: [1, 2, 3] }; console.log(v.i); v`);
    expect((await rss()) - before).toBeLessThan(50 * 2 ** 20);
  });
});
