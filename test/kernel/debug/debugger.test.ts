import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DebugSession } from './session.js';

const helper = `// the types go, and nothing moves
interface Options { by: number }

export function triple(a: number, options: Options = { by: 3 }): number {
  const b = a * options.by;
  return b;
}
`;
const mapped = `enum Color { Red = 1, Green }
export class Point {
  constructor(readonly x: number, private y: number) {}
  sum(): number {
    const total = this.x + this.y;
    return total + Color.Green;
  }
}
`;
const files = { 'helper.ts': helper, 'mapped.ts': mapped };

let session: DebugSession;
beforeEach(async () => {
  session = await DebugSession.start(files);
});
afterEach(() => session.close());

/** What each line does is said by where a breakpoint there must stop. */
const cell = `import { triple } from './helper';
const n = twice(4); // functions stand ahead in what runs
function twice(a: number): number {
  var b: number = a * 2;
  return b;
}
var items: unknown[] = [n,
  { k: 'v' }];
// nothing here

const m: number = triple(n);
export default m;`;

describe('breakpoints in a cell', () => {
  test('stop exactly at their lines, known before the cell runs', async () => {
    await session.attach();
    const { path, breakpoints } = await session.breakIn(cell, 2, 4, 7, 9, 12);
    // line 9 is a comment: the next code is on 11
    expect(breakpoints.map(({ verified, line }) => [verified, line])).toEqual(
      [2, 4, 7, 11, 12].map((line) => [true, line]),
    );
    const id = await session.runToStop(cell);
    expect(await session.where()).toEqual(['cell-1.ts:2']);
    expect((await session.frames())[0].source.path).toBe(path);
    const stops: string[][] = [];
    for (let i = 0; i < 4; i++) {
      const { hitBreakpointIds } = await session.step('continue');
      expect(hitBreakpointIds).toEqual([breakpoints[i + 1]!.id]);
      stops.push(await session.where());
    }
    expect(stops).toEqual([['twice:4', 'cell-1.ts:2'], ['cell-1.ts:7'], ['cell-1.ts:11'], ['cell-1.ts:12']]);
    expect(await session.finish(id)).toMatchObject({ status: 'ok' });
  });

  test('hold for each run of the same code and for code that ran before the debugger was there', async () => {
    const code = 'function half(v: number): number {\n  return v / 2;\n}';
    await session.kernel.execute(code);
    await session.attach();
    const { breakpoints } = await session.breakIn(code, 2);
    expect(breakpoints[0]).toMatchObject({ verified: true, line: 2 });
    const id = await session.runToStop('half(8)');
    expect(await session.where()).toEqual(['half:2', 'cell-2.ts:1']);
    await session.finish(id);
    await session.kernel.execute(code);
    const again = await session.runToStop('half(8)');
    expect(await session.where()).toEqual(['half:2', 'cell-4.ts:1']);
    await session.finish(again);
    await session.breakIn(code);
    expect((await session.kernel.execute('half(8)')).reply.content.status).toBe('ok');
  });

  test('of a cell that was replaced are not verified, and the new code does not stop', async () => {
    await session.attach();
    await session.breakIn('const before = 1;\nbefore + 1', 2);
    const after = 'const before = 1;\nbefore + 2';
    expect((await session.kernel.execute(after)).reply.content.status).toBe('ok');
    const { tmpFilePrefix } = await session.ask('debugInfo');
    const [unknown] = await session.breakInFile(`${tmpFilePrefix}12345.ts`, 1);
    expect(unknown).toMatchObject({ verified: false, line: 1 });
    expect(unknown.message).toMatch(/edited/);
    const [broken] = (await session.breakIn('const = ;', 1)).breakpoints;
    expect(broken).toMatchObject({ verified: false, line: 1 });
  });

  test('with a condition in TypeScript stop only where it holds', async () => {
    await session.attach();
    const code = 'let sum = 0;\nfor (let i = 0; i < 10; i++) {\n  sum += i;\n}\nsum';
    const { sourcePath: path } = await session.ask('dumpCell', { code });
    const breakpoints = [{ line: 3, condition: '(i as number) === 7' }];
    await session.ask('setBreakpoints', { source: { path }, breakpoints });
    const id = await session.runToStop(code);
    expect(await session.scope('Locals')).toMatchObject({ i: { value: '7', type: 'int' } });
    expect(await session.scope('Globals')).toMatchObject({ sum: { value: '21' } });
    await session.finish(id);
  });

  test('that needs more than stripping (an enum, parameter properties) keep their places', async () => {
    await session.attach();
    const { breakpoints } = await session.breakIn(mapped, 5);
    expect(breakpoints[0]).toMatchObject({ verified: true, line: 5 });
    await session.kernel.execute(mapped);
    const id = await session.runToStop('new Point(1, 2).sum()');
    expect(await session.where()).toEqual(['sum:5', 'cell-2.ts:1']);
    await session.finish(id);
  });
});

describe('local modules', () => {
  test.each([
    ['helper.ts', 5, "import { triple } from './helper';\ntriple(2)", 'triple'],
    ['mapped.ts', 5, "import { Point } from './mapped';\nnew Point(1, 2).sum()", 'sum'],
  ])('a breakpoint in %s is there before it is loaded', async (file, line, code, name) => {
    await session.attach();
    const path = join(session.folder, file);
    const [before] = await session.breakInFile(path, line);
    expect(before).toMatchObject({ verified: false, line });
    const id = await session.runToStop(code);
    expect(await session.event('breakpoint')).toMatchObject({
      breakpoint: { id: before.id, verified: true },
    });
    expect(await session.where()).toEqual([`${name}:${line}`, 'cell-1.ts:2']);
    expect((await session.frames())[0].source.path).toBe(path);
    expect((await session.ask('source', { source: { path } })).content).toBe(files[file as 'helper.ts']);
    await session.finish(id);
  });

  test('stepIn goes into a function of a module, next over it, stepOut out of it', async () => {
    await session.attach();
    await session.breakIn(cell, 11);
    const id = await session.runToStop(cell);
    await session.step('stepIn');
    expect((await session.where()).at(-1)).toBe('cell-1.ts:11');
    expect((await session.frames())[0]).toMatchObject({
      name: 'triple',
      source: { path: join(session.folder, 'helper.ts') },
    });
    await session.step('stepOut');
    expect(await session.where()).toEqual(['cell-1.ts:12']);
    await session.ask('next');
    expect((await session.kernel.answer(id)).reply.content.status).toBe('ok');
    expect(await session.ask('debugInfo')).toMatchObject({ stoppedThreads: [] });
  });

  test('stepping goes on behind an await and behind an import that loads a file with breakpoints', async () => {
    await session.attach();
    await session.breakInFile(join(session.folder, 'helper.ts'), 6);
    const code = `const start = 1;
await new Promise((resolve) => setTimeout(resolve, 20));
const loaded = await import('./helper');
const end = 2;`;
    await session.breakIn(code, 1);
    const id = await session.runToStop(code);
    const lines: string[] = [];
    for (let i = 0; i < 3; i++) {
      await session.step('next');
      lines.push(...(await session.where()));
    }
    expect(lines).toEqual(['cell-1.ts:2', 'cell-1.ts:3', 'cell-1.ts:4']);
    await session.finish(id);
  });
});

describe('a stopped cell', () => {
  const values = `const all = { int: 1, float: 1.5, nan: NaN, text: 'a "b"', yes: true, none: null, missing: undefined,
  big: 12n, list: Array.from({ length: 250 }, (_, i) => i), map: new Map([['a', 1]]), set: new Set([1]),
  date: new Date(0), error: new RangeError('far'), f: (a: number): number => a, typed: new Float32Array(3),
  get lazy(): number { return 42; } };
(function inner(this: unknown, own: string) {
  const hidden = own + '!';
  return hidden;
}).call({ me: 1 }, 'x');`;

  test('shows its variables in the words of JupyterLab, and what is inside of them', async () => {
    await session.attach();
    await session.breakIn(values, 7);
    const id = await session.runToStop(values);
    const locals = await session.scope('Locals');
    expect(locals.own).toMatchObject({
      value: '"x"',
      type: 'str',
      variablesReference: 0,
      evaluateName: 'own',
    });
    expect(locals.hidden).toMatchObject({ value: '"x!"' });
    expect(locals.this).toMatchObject({ value: '{me: 1}' });
    const { all } = await session.scope('Globals');
    const inside = await session.children(all);
    const shown = Object.fromEntries(
      Object.entries(inside).map(([name, { value, type }]) => [name, [type, value]]),
    );
    expect(shown).toMatchObject({
      int: ['int', '1'],
      float: ['float', '1.5'],
      nan: ['float', 'NaN'],
      text: ['str', '"a \\"b\\""'],
      yes: ['bool', 'true'],
      none: ['null', 'null'],
      missing: ['undefined', 'undefined'],
      big: ['bigint', '12n'],
      map: ['Map(1)', "Map(1) {'a' => 1}"],
      set: ['Set(1)', 'Set(1) {1}'],
      error: ['RangeError', 'RangeError: far'],
      f: ['function', '(a ) => a'],
      typed: ['Float32Array(3)', 'Float32Array(3) [0, 0, 0]'],
      lazy: ['getter', '(getter)'],
    });
    expect(inside.list!.type).toBe('Array(250)');
    const groups = await session.children(inside.list);
    expect(Object.keys(groups)).toEqual(['[0 … 99]', '[100 … 199]', '[200 … 249]']);
    const last = await session.children(groups['[200 … 249]']);
    expect(Object.keys(last)).toHaveLength(50);
    expect(last['249']).toMatchObject({ value: '249', evaluateName: 'all.list[249]' });
    expect((await session.children(inside.lazy)).lazy).toMatchObject({ value: '42', type: 'int' });
    const [entry] = Object.values(
      await session.children((await session.children(inside.map))['[[Entries]]']),
    );
    expect(entry.value).toContain('a');
    await session.finish(id);
    const stale = await session.request('variables', { variablesReference: inside.list!.variablesReference });
    expect(stale).toMatchObject({ success: false });
    expect(stale.message).toMatch(/gone on/);
  });

  test('evaluates TypeScript in a frame, shows a value as a notebook does, and copies it to the cells', async () => {
    await session.attach();
    await session.breakIn(values, 7);
    const id = await session.runToStop(values);
    const [{ id: frameId }] = await session.frames();
    const evaluate = (expression: string) => session.request('evaluate', { expression, frameId });
    expect((await evaluate('(hidden as string).length')).body).toMatchObject({ result: '2', type: 'int' });
    expect((await evaluate('({ a: [1] })')).body.variablesReference).toBeGreaterThan(0);
    expect((await evaluate('nowhere')).message).toMatch(/nowhere is not defined/);
    const rich = await session.ask('richInspectVariables', { variableName: 'hidden', frameId });
    expect(rich).toEqual({ data: { 'text/plain': "'x!'" }, metadata: {} });
    expect((await session.request('richInspectVariables', { variableName: 'a b', frameId })).success).toBe(
      false,
    );
    const names = { srcVariableName: 'hidden', dstVariableName: 'copied', srcFrameId: frameId };
    await session.ask('copyToGlobals', names);
    await session.finish(id);
    expect((await session.kernel.execute('copied')).outputs.at(-1)!.content.data['text/plain']).toBe("'x!'");
    const { variables } = await session.ask('inspectVariables', {});
    expect(variables.find(({ name }: { name: string }) => name === 'copied')).toMatchObject({
      value: '"x!"',
    });
    expect((await session.ask('evaluate', { expression: 'copied.length' })).result).toBe('2');
  });

  test('is stopped by an interrupt, and by a shutdown', async () => {
    await session.attach();
    const code = 'const kept = 5;\nlet later = 1;\nlater = 2;';
    await session.breakIn(code, 3);
    const id = await session.runToStop(code);
    await session.kernel.send('interrupt_request', {}, 'control');
    const { reply } = await session.kernel.answer(id);
    expect(reply.content).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    await session.event('continued');
    expect((await session.kernel.execute('kept + later')).outputs.at(-1)!.content.data['text/plain']).toBe(
      '6',
    );
    await session.runToStop(code);
    expect(await session.kernel.heartbeat()).toBe(true);
    await session.kernel.shutdown();
  });

  test('goes on when the debugger leaves, and nothing stops any more', async () => {
    await session.attach();
    const code = 'let one = 1;\none + 1';
    await session.breakIn(code, 2);
    const id = await session.runToStop(code);
    await session.ask('disconnect', {});
    await session.event('terminated');
    expect((await session.kernel.answer(id)).reply.content.status).toBe('ok');
    expect((await session.kernel.execute(code)).reply.content.status).toBe('ok');
    expect(await session.ask('debugInfo')).toMatchObject({ isStarted: false, breakpoints: [] });
    await session.attach();
    await session.breakIn(code, 2);
    await session.finish(await session.runToStop(code));
  });
});

test('the variables are listed for a client that attaches nothing, and the debugger of V8 stays off', async () => {
  await session.kernel.execute("const text: string = 'a'; let list = [1, 2]; class Kind {}");
  const { variables } = await session.ask('inspectVariables', {});
  expect(variables).toMatchObject([
    { name: 'text', type: 'str', value: '"a"', variablesReference: 0, evaluateName: 'text' },
    { name: 'list', type: 'Array(2)', value: 'Array(2) [1, 2]' },
    { name: 'Kind' },
  ]);
  expect(await session.children(variables[1])).toMatchObject({ 0: { value: '1' }, 1: { value: '2' } });
  expect(await session.ask('richInspectVariables', { variableName: 'list' })).toMatchObject({
    data: { 'text/plain': '[ 1, 2 ]' },
  });
  // with it on, this would wait for a client
  expect((await session.kernel.execute('debugger; 1')).reply.content.status).toBe('ok');
  expect(await session.ask('debugInfo')).toMatchObject({ isStarted: false, hashMethod: 'Murmur2' });
});

describe('exceptions', () => {
  const code = `function fail(): never { throw new RangeError('too far'); }
try { fail(); } catch {}
await new Promise((resolve) => setTimeout(resolve, 5));
try { fail(); } catch {}
fail();`;

  /** Where a cell stops until it ends. */
  const stops = async (source: string, ...filters: string[]) => {
    await session.ask('setExceptionBreakpoints', { filters });
    const id = await session.kernel.send('execute_request', { code: source });
    const ended = session.kernel.answer(id).then(() => undefined);
    const found: string[][] = [];
    for (;;) {
      const stopped = await Promise.race([session.event('stopped'), ended]);
      if (stopped === undefined) return found;
      expect(stopped).toMatchObject({
        reason: 'exception',
        text: 'RangeError',
        description: 'RangeError: too far',
      });
      found.push(await session.where());
      await session.ask('continue', { threadId: 1 });
    }
  };

  test.each([
    ['none', [], []],
    ['all', ['all', 'uncaught'], [2, 4, 5]],
    ['uncaught, also behind an await', ['uncaught'], [5]],
  ])('%s', async (_, filters, lines) => {
    await session.attach();
    const found = await stops(code, ...filters);
    expect(found).toEqual(lines.map((line) => ['fail:1', `cell-1.ts:${line}`]));
  });

  test('in the first part of a cell, and what they are', async () => {
    await session.attach();
    await session.ask('setExceptionBreakpoints', { filters: ['uncaught'] });
    const id = await session.runToStop("const what = 'odd';\nthrow new TypeError(what);");
    expect(await session.where()).toEqual(['cell-1.ts:2']);
    expect(await session.ask('exceptionInfo', { threadId: 1 })).toMatchObject({
      exceptionId: 'TypeError',
      description: 'TypeError: odd',
      details: { typeName: 'TypeError' },
    });
    expect(await session.finish(id)).toMatchObject({ status: 'error', ename: 'TypeError', evalue: 'odd' });
  });
});

test('requests that cannot be served are answered with an error of the protocol, and the session lives', async () => {
  const at = (line: unknown) => ({ source: { path: 'a.ts' }, breakpoints: [{ line }] });
  const requests: Record<string, object> = {
    nothing: {},
    'no text as command': { seq: 'x', command: 5, arguments: 7 },
    'an unknown command': { seq: 1, command: 'fly' },
    'a name of Object.prototype': { seq: 1, command: 'constructor' },
    'arguments that are a list': { seq: 1, command: 'evaluate', arguments: [] },
    'no arguments': { seq: 1, command: 'setBreakpoints' },
    'a line that is a text': { seq: 1, command: 'setBreakpoints', arguments: at('1') },
    'line 0': { seq: 1, command: 'setBreakpoints', arguments: at(0) },
    'a frame that never was': { seq: 1, command: 'scopes', arguments: { frameId: 99 } },
    'a reference that never was': { seq: 1, command: 'variables', arguments: { variablesReference: 99 } },
    'a step of a program that runs': { seq: 1, command: 'next', arguments: { threadId: 1 } },
    'an unknown filter': { seq: 1, command: 'setExceptionBreakpoints', arguments: { filters: ['odd'] } },
    'a source that is nowhere': { seq: 1, command: 'source', arguments: { source: { path: '/nowhere.ts' } } },
  };
  for (const attached of [false, true]) {
    if (attached) await session.attach();
    for (const [what, content] of Object.entries(requests)) {
      const { reply } = await session.kernel.ask('debug_request', content, 'control');
      const { type, success, message } = reply.content;
      expect([what, type, success, typeof message]).toEqual([what, 'response', false, 'string']);
    }
  }
  expect((await session.kernel.execute('1')).reply.content.status).toBe('ok');
});
