import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { HistoryFile } from '../../../kernel/jupyter/history/file.js';
import { globPattern } from '../../../kernel/jupyter/history/glob.js';
import { History, type HistoryRequest } from '../../../kernel/jupyter/history/history.js';
import { openHistory } from '../../../kernel/jupyter/history/open.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';
import { KernelClient } from './client.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-history-'));
const path = join(folder, 'deep', 'history.jsonl');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(path, { recursive: true, force: true }));

let log: string[] = [];
const open = (file = path) => new History(new HistoryFile(file, (text) => log.push(text)));
/** A session that has run these cells. */
function session(...inputs: string[]): History {
  const history = open();
  for (const [i, input] of inputs.entries()) history.add(i + 1, input);
  history.flush();
  return history;
}
const tail = { hist_access_type: 'tail' };

describe('the history of several sessions', () => {
  test('has every session by a number of its own, in the order in which they began', () => {
    const first = session('a');
    const second = session('b', 'c');
    first.add(2, 'd');
    expect(second.find({ ...tail, n: 9 })).toEqual([
      [1, 1, 'a'],
      [2, 1, 'b'],
      [2, 2, 'c'],
    ]);
    first.flush();
    // to each the cells of its own session are the newest
    expect(first.find({ ...tail, n: 3 })).toEqual([
      [2, 2, 'c'],
      [1, 1, 'a'],
      [1, 2, 'd'],
    ]);
    expect(second.find({ ...tail, n: 3 })).toEqual([
      [1, 2, 'd'],
      [2, 1, 'b'],
      [2, 2, 'c'],
    ]);
    expect(second.find({ hist_access_type: 'range', session: -1 })).toEqual([
      [1, 1, 'a'],
      [1, 2, 'd'],
    ]);
    expect(open().find({ hist_access_type: 'range', session: -1 })).toHaveLength(2);
  });

  test('keeps outputs, and what stands behind half a line', () => {
    const history = session('1 + 1');
    history.setOutput(1, '2');
    history.flush();
    appendFileSync(path, '{"session":"cut o');
    const next = session('x');
    appendFileSync(path, '[]\nnull\n{"session":1,"line":1,"input":"no"}\n{"half');
    expect(next.find({ ...tail, output: true })).toEqual([
      [1, 1, ['1 + 1', '2']],
      [2, 1, ['x', null]],
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('is shortened to its newer half, with the same numbers', () => {
    mkdirSync(join(folder, 'deep'), { recursive: true });
    const line = (id: string, number: number) =>
      `${JSON.stringify({ session: id, line: number, input: `${id}-${number} ${'x'.repeat(9000)}` })}\n`;
    const lines = Array.from({ length: 1000 }, (_, i) => line(`s${Math.floor(i / 100)}`, (i % 100) + 1));
    writeFileSync(path, lines.join(''));
    const reader = open();
    expect(reader.find(tail)).toHaveLength(1000);
    session('new');
    expect(statSync(path).size).toBeLessThan(4.3e6);
    const items = reader.find({ ...tail, n: 2 });
    expect(items.map(([number, at]) => [number, at])).toEqual([
      [10, 100],
      [11, 1],
    ]);
    expect(
      reader
        .find(tail)
        .every(([number, , input]) => number === 11 || String(input).startsWith(`s${number - 1}-`)),
    ).toBe(true);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['history.jsonl']);
  });

  test('is off where it cannot be written, and says so once', () => {
    log = [];
    writeFileSync(join(folder, 'file'), '');
    const history = open(join(folder, 'file', 'history.jsonl'));
    history.add(1, 'a');
    history.flush();
    history.add(2, 'b');
    history.flush();
    expect(history.find(tail)).toEqual([]);
    expect(log).toEqual([expect.stringContaining('the history of earlier sessions is off')]);
  });

  test('is where the environment says', () => {
    const named = openHistory(() => {}, { ARCLAB_KERNEL_HISTORY: path });
    named.add(1, 'a');
    named.flush();
    expect(readFileSync(path, 'utf8')).toContain('"a"');
    const byDefault = openHistory(() => {}, { JUPYTER_DATA_DIR: folder });
    byDefault.add(1, 'b');
    byDefault.flush();
    expect(readFileSync(join(folder, 'arclab', 'history.jsonl'), 'utf8')).toContain('"b"');
    const alone = openHistory(() => {}, { ARCLAB_KERNEL_HISTORY: 'off', JUPYTER_DATA_DIR: folder });
    alone.add(1, 'c');
    expect(alone.find(tail)).toEqual([[1, 1, 'c']]);
  });
});

test.each([
  ['*', 'a\nb', true],
  ['a?c', 'abc', true],
  ['a.c', 'abc', false],
  ['[ab]x', 'bx', true],
  ['[^ab]x', 'bx', false],
  ['[a-c]-(y)', 'b-(y)', true],
  ['[]]', ']', true],
  ['[z-a]', 'b', false],
  ['A', 'a', false],
])('the pattern %j and %j: %j', (pattern, text, isMatch) => {
  expect(globPattern(pattern).test(text)).toBe(isMatch);
});

const python = pythonWith('ipykernel', 'jupyter_client');
/** Runs sessions in ipykernel and asks the last one. */
const script = `
import json, os, sys
from jupyter_client.manager import start_new_kernel
given = json.load(sys.stdin)
for cells in given['sessions']:
    manager, client = start_new_kernel(kernel_name='python3', extra_arguments=['--HistoryManager.hist_file=' + given['file'], '--HistoryManager.db_log_output=True'])
    for cell in cells:
        client.execute(cell, reply=True, timeout=60)
    if cells is given['sessions'][-1]:
        answers = []
        for request in given['requests']:
            client.history(raw=True, **request)
            answers.append(client.get_shell_msg(timeout=60)['content']['history'])
        print(json.dumps(answers))
    client.shutdown()
    manager.shutdown_kernel()
`;

describe.skipIf(python === undefined)('answers', { timeout: 120_000 }, () => {
  test('are those of ipykernel', () => {
    // values that both languages show in the same way
    const sessions = [
      ['1 + 1', '2', '3', '1 + 1'],
      ['5', '10 - 3', '1 + 1'],
      ['6', '[7]', '5', '1 + 1'],
    ];
    const requests: HistoryRequest[] = [
      { hist_access_type: 'tail', n: 3 },
      { hist_access_type: 'tail', n: 6, output: false },
      { hist_access_type: 'tail', n: 100 },
      { hist_access_type: 'range', session: 0, start: 1, stop: 3 },
      { hist_access_type: 'range', session: 0, start: 1, stop: 3, output: true },
      { hist_access_type: 'range', session: 0, start: -2 },
      { hist_access_type: 'range', session: 0, start: 1, stop: -1 },
      { hist_access_type: 'range', session: 0, start: 2 },
      { hist_access_type: 'range', session: -1, start: 0, stop: 3 },
      { hist_access_type: 'range', session: 1, start: 2, stop: 0 },
      { hist_access_type: 'range', session: 9, start: 1, stop: 3 },
      { hist_access_type: 'search', pattern: '1*' },
      { hist_access_type: 'search', pattern: '1*', n: 2 },
      { hist_access_type: 'search', pattern: '?', unique: true },
      { hist_access_type: 'search', pattern: '*', unique: true, n: 3 },
      { hist_access_type: 'search', pattern: '[0-9] + 1' },
      { hist_access_type: 'search', pattern: '[[]7[]]' },
    ];
    const file = join(folder, 'ipython.sqlite');
    const theirs = runPython(python!, script, JSON.stringify({ sessions, requests, file }));
    const histories = sessions.map((inputs) => session(...inputs));
    const last = histories.at(-1)!;
    for (const [i, input] of sessions.at(-1)!.entries()) {
      last.setOutput(i + 1, input === '1 + 1' ? '2' : input);
    }
    expect(requests.map((request) => last.find(request))).toEqual(theirs);
  });
});

test('a kernel finds what another one has run, and both write', async () => {
  const env = { ARCLAB_KERNEL_TYPES: 'off', ARCLAB_KERNEL_HISTORY: path };
  const [a, b] = [await KernelClient.start({ env }), await KernelClient.start({ env })];
  const ask = async (kernel: KernelClient) =>
    (await kernel.ask('history_request', { ...tail, n: 10, output: true })).reply.content.history;
  await a.execute('const fromA = 1; fromA');
  await a.execute('"silent"', { store_history: false });
  await a.ask('history_request', tail);
  await b.execute('throw 1');
  expect(await ask(b)).toEqual([
    [1, 1, ['const fromA = 1; fromA', '1']],
    [2, 1, ['throw 1', null]],
  ]);
  await a.execute('fromA');
  await a.shutdown();
  expect(await ask(b)).toContainEqual([1, 2, ['fromA', '1']]);
  await b.shutdown();
});
