import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BRIDGE, Kernel, Project, sleep, useKernel } from './client.js';

const { kernel, project } = useKernel();

describe('the bridge', () => {
  it('says which versions it is made of', () => {
    expect(kernel.answers[0]).toMatchObject({ type: 'ready', versions: { node: process.version } });
  });

  it('answers what is no request, and goes on', async () => {
    for (const [line, message] of [
      ['{ "type"', /JSON/],
      ['{"type":"dance"}', /unknown type "dance"/],
      ['{"type":"execute","id":1}', /execute needs an "id"/],
      ['null', /null/],
    ] as const) {
      const answer = kernel.until(({ type }) => type === 'protocol-error');
      kernel.process.stdin.write(`${line}\n`);
      expect(await answer).toMatchObject({ message: expect.stringMatching(message) });
    }
    expect(await kernel.value('1 + 1')).toBe('2');
  });

  it('keeps its protocol whatever a cell writes', async () => {
    const { stdout } = await kernel.run(`
      process.stdout.write('{"type":"done"'); require('fs').writeSync(1, '}\\n{"type":"output"');
      require('child_process').spawnSync('echo', ['{'], { stdio: 'inherit' }); undefined`);
    expect(stdout).toBe('{"type":"done"}\n{"type":"output"{\n');
    expect(await kernel.value('1 + 1')).toBe('2');
  });

  it('gives a cell no part of its own input', async () => {
    expect(await kernel.value("require('fs').readFileSync(0, 'utf8')")).toBe("''");
  });

  it('asks the person', async () => {
    const ask = async (code: string, text: string | undefined) => {
      const { done } = kernel.start(code);
      const question = await kernel.until(({ type }) => type === 'input-request');
      kernel.send({ type: 'input', text });
      return { question, ran: await done };
    };
    const { question, ran } = await ask(
      "console.log('hello'); const name: string = prompt('name? '); name + '!'",
      'Ann €',
    );
    expect(question).toMatchObject({ prompt: 'name? ', password: false });
    expect(ran.text).toBe("'Ann €!'");
    const secret = await ask(
      "import { prompt as ask } from 'tslab'; await ask('key', { password: true })",
      'k',
    );
    expect(secret.question).toMatchObject({ prompt: 'key', password: true });
    expect(secret.ran.text).toBe("'k'");
    expect((await ask('prompt()', undefined)).ran.traceback).toContain('input is not available');
  });

  it('lets standard input ask for lines while the cell goes on', async () => {
    const answer = async (text: string) => {
      await kernel.until(({ type }) => type === 'input-request');
      await sleep(20);
      kernel.send({ type: 'input', text });
    };
    const asked = kernel.start(`import { createInterface } from 'node:readline/promises';
      const lines = createInterface({ input: process.stdin, output: process.stdout });
      let ticks = 0; setInterval(() => ticks++, 1);
      const name = await lines.question('name? '); const age = await lines.question('age? '); lines.close();
      [name, age, ticks > 5]`);
    await answer('Ada');
    await answer('36');
    const { text, stdout } = await asked.done;
    expect([text, stdout]).toEqual(["[ 'Ada', '36', true ]", 'name? age? ']);
    // nobody closes these: they end with their cell and take no line from the next
    const left = kernel.start(
      "for await (const line of createInterface(process.stdin)) { console.log(line); break }\nprocess.stdin.on('data', () => {})",
    );
    await answer('first');
    expect((await left.done).stdout).toBe('first\n');
    const next = kernel.start(
      "process.stdin.once('data', (line) => { console.log(line.trim()); process.stdin.pause() });\nawait new Promise((r) => setTimeout(r, 50)); prompt('more?')",
    );
    await answer('second');
    await answer('third');
    const { stdout: second, text: third } = await next.done;
    expect([second, third]).toEqual(['second\n', "'third'"]);
    const refused = kernel.start("await createInterface({ input: process.stdin }).question('')");
    await kernel.until(({ type }) => type === 'input-request');
    kernel.send({ type: 'input' });
    await kernel.until(({ type }) => type === 'late-error');
    expect(kernel.lateErrors.at(-1)!.error.evalue).toContain('input is not available');
    kernel.send({ type: 'interrupt' });
    expect((await refused.done).outcome.status).toBe('error');
  });

  it('tells what live values have', async () => {
    await kernel.value(
      'let thing = { alpha: 1, beta() {}, get gamma() { throw new Error() } }; class Made {} const made = new Made(); let calls = 0; function effect() { calls++; return {} }',
    );
    const ask = async (type: 'properties' | 'describe', expression: string) => {
      const answer = kernel.until((given) => given.type === type);
      kernel.send({ type, id: 'q', expression });
      return (await answer) as { names?: { name: string; kind: string }[]; text?: string };
    };
    const { names } = await ask('properties', 'thing');
    expect(names!.slice(0, 3)).toEqual([
      { name: 'alpha', kind: 'property' },
      { name: 'beta', kind: 'function' },
      { name: 'gamma', kind: 'property' },
    ]);
    const globals = (await ask('properties', '')).names!;
    for (const name of ['thing', 'made', 'console', 'display'])
      expect(globals.map((one) => one.name)).toContain(name);
    expect(globals).toContainEqual({ name: 'Made', kind: 'class' });
    expect((await ask('describe', 'made')).text).toMatch(/^Made\n/);
    expect((await ask('describe', 'effect')).text).toBe('function\n[Function: effect]');
    expect((await ask('describe', 'effect()')).text).toBeUndefined();
    expect((await ask('describe', 'no.such.thing')).text).toBeUndefined();
    expect(await kernel.value('calls')).toBe('0');
  });

  it.each([
    'while (true) {}',
    'setInterval(() => {}, 1)',
    'await new Promise(() => {})',
    "process.on('exit', () => { while (true) {} })",
  ])('ends with its standard input, also in %s', async (code) => {
    const other = new Kernel(project.folder);
    await other.ready;
    other.start(`console.log('began'); ${code}`);
    await other.until(({ type }) => type === 'output');
    const began = Date.now();
    await other.stop();
    // by itself it would not end
    expect(Date.now() - began).toBeLessThan(20_000);
  });

  it('ends when it is told to', async () => {
    const other = new Kernel(project.folder);
    await other.ready;
    other.send({ type: 'shutdown' });
    expect(await other.exited).toBe(0);
  });

  it('leaves what a dying process says for the reader', async () => {
    const other = new Kernel(project.folder);
    await other.ready;
    other.start(
      "console.log('last words'); const t = Date.now(); while (Date.now() - t < 300); process.kill(process.pid, 'SIGKILL')",
    );
    await other.until(({ type }) => type === 'output');
    expect(await other.exited).toBe('SIGKILL');
  });
});

describe('the bridge alone, without any package', () => {
  const alone = new Project({
    // what a host without amaro brings
    'node_modules/amaro/index.js':
      "exports.transformSync = (source) => ({ code: source.replace(/: (number|string)/g, (t) => ' '.repeat(t.length)) });",
  });
  const script = join(alone.folder, 'kernel-bridge.cjs');
  afterAll(() => alone.remove());

  it('runs cells, keeps its protocol and ends', async () => {
    copyFileSync(BRIDGE, script);
    const other = new Kernel(alone.folder, { script });
    await other.ready;
    expect(await other.value('const n: number = 42; n')).toBe('42');
    const { stdout } = await other.run(
      "console.log('mine'); require('child_process').execSync('echo theirs', { stdio: 'inherit' })",
    );
    expect(stdout).toBe('mine\n');
    expect(other.log).toContain('theirs\n');
    const { done } = other.start("console.log('began'); while (true) {}");
    await other.until(({ type }) => type === 'output');
    other.process.kill('SIGINT');
    expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    await other.stop();
  });
});

describe('the start', () => {
  /** How long a Node that runs this takes, in ms: the median of five. @param input what it is told before it says that it is done */
  const time = async (args: string[], input: string) => {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.write(input);
      if (input === '') child.stdin.end();
      else child.stdout.on('data', (data) => `${data}`.includes('"done"') && child.kill('SIGKILL'));
      await new Promise((resolve) => child.on('exit', resolve));
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[2]!;
  };

  // both against the start of Node itself, which depends on what else the machine does
  it('is fast', async () => {
    const request = { type: 'execute', id: '1', request: { code: '6 * 7', name: 'cell-1.ts' } };
    const node = await time(['-e', '0'], '');
    const first = await time([BRIDGE], `${JSON.stringify(request)}\n`);
    console.log(`node ${node.toFixed(0)} ms, kernel to first result ${first.toFixed(0)} ms`);
    expect(first - node).toBeLessThan(15 * node);
  });

  it('of a trivial cell too', async () => {
    for (let i = 0; i < 100; i++) await kernel.run('1 + 1');
    const times: number[] = [];
    for (let i = 0; i < 200; i++) {
      const began = performance.now();
      await kernel.run(`${i} + 1`);
      times.push(performance.now() - began);
    }
    const median = times.sort((a, b) => a - b)[100]!;
    const node = await time(['-e', '0'], '');
    console.log(`a cell takes ${median.toFixed(2)} ms (median of 200), node ${node.toFixed(0)} ms`);
    expect(median).toBeLessThan(node / 8);
  });
});
