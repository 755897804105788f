import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { type Identity, Journal } from '../../src/common/journal.js';
import { RERUN_VARIABLE } from '../../src/common/rerun.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-journal-'));
  path = join(folder, 'result.json.partial');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

interface Entry {
  i: number;
  text: string;
}
const identity: Identity = { command: 'infer', 'data set': 'a1', '`seed`': '7' };
const entries: Entry[] = Array.from({ length: 4 }, (_, i) => ({
  i,
  text: `grü\n"${'x'.repeat(70_000 * (i % 2))}"`,
}));

function write(list: readonly Entry[]): void {
  const journal = Journal.open<Entry>(path, identity);
  for (const entry of list) journal.append(entry);
  journal.close();
}

/** What a run with an identity finds, and what it is told. */
function find(given = identity): { found: readonly Entry[]; notes: string[] } {
  const notes: string[] = [];
  const journal = Journal.open<Entry>(path, given, { onNote: (text) => notes.push(text) });
  journal.close();
  return { found: journal.found, notes };
}

test('a journal of another identity is not dropped where that is refused', () => {
  write(entries.slice(0, 2));
  const open = (given: typeof identity) =>
    Journal.open<Entry>(path, given, { refuse: (found) => new RangeError(`not this one: ${found}`) });
  const other = { ...identity, [Object.keys(identity)[0]!]: 'other' };
  expect(() => open(other)).toThrow(RangeError);
  expect(() => open(other)).toThrow(`not this one: ${path} was made with another`);
  // it is still there, and opens under its own
  const journal = open(identity);
  journal.close();
  expect(journal.found).toEqual(entries.slice(0, 2));
});

test('what was appended is found, in its order, and more can follow', () => {
  write(entries.slice(0, 2));
  expect(find()).toEqual({ found: entries.slice(0, 2), notes: [] });
  write(entries.slice(2));
  expect(find().found).toEqual(entries);
});

test('cut off at any byte, every entry before the cut is found and the rest can be appended again', () => {
  write(entries);
  const whole = readFileSync(path);
  const ends = [...whole.entries()].flatMap(([at, byte]) => (byte === 10 ? [at + 1] : []));
  const cuts = ends.flatMap((end) => [end - 2, end - 1, end, end + 1, end + 7]);
  for (const cut of [...Array.from({ length: 40 }, (_, i) => 7 * i), ...cuts].filter(
    (at) => at <= whole.length,
  )) {
    writeFileSync(path, whole.subarray(0, cut));
    const kept = Math.max(0, ends.filter((end) => end <= cut).length - 1);
    const journal = Journal.open<Entry>(path, identity);
    expect(journal.found).toHaveLength(kept);
    for (const entry of entries.slice(kept)) journal.append(entry);
    journal.close();
    expect(readFileSync(path).equals(whole)).toBe(true);
  }
});

test('what a power failure left of an entry, zeros among it, is dropped with all that follows', () => {
  write(entries);
  const bytes = readFileSync(path);
  const second = bytes.indexOf(10, bytes.indexOf(10) + 1) + 1;
  bytes.fill(0, second, second + 30);
  writeFileSync(path, bytes);
  expect(find().found).toEqual(entries.slice(0, 1));
});

test.each<[string, Identity, string]>([
  ['a value', { ...identity, '`seed`': '8' }, '`seed`'],
  ['several', { ...identity, '`seed`': '8', 'data set': 'b2' }, 'data set and `seed`'],
  ['a new name', { ...identity, adapter: 'c3' }, 'adapter'],
])('with another identity (%s) it starts from nothing and says why', (_, other, names) => {
  write(entries);
  const notes = [`${path} was made with another ${names}: starting from nothing`];
  expect(find(other)).toEqual({ found: [], notes });
  expect(find(other)).toEqual({ found: [], notes: [] });
});

test('when only what was made of it differs, arclab itself is another version', () => {
  write(entries);
  expect(find({ ...identity, content: 'd4' }).notes[0]).toContain('was written by another version of arclab');
});

test('a rerun takes nothing from before it, and continues itself', () => {
  write(entries);
  utimesSync(path, 1000, 1000);
  vi.stubEnv(RERUN_VARIABLE, '1000001');
  expect(find()).toEqual({ found: [], notes: [] });
  write(entries.slice(0, 1));
  expect(find().found).toEqual(entries.slice(0, 1));
});

test('a file of another origin is refused and stays as it is', () => {
  for (const content of ['{"a":1}\n', 'notes', '{"arclab":"partial results"}\n']) {
    writeFileSync(path, content);
    expect(() => find()).toThrow(UserError);
    expect(() => find()).toThrow(/expected partial results of arclab, found another file/);
    expect(readFileSync(path, 'utf8')).toBe(content);
  }
});

test('one that has nothing goes when it is closed; one that is finished goes, too', () => {
  write([]);
  expect(existsSync(path)).toBe(false);
  write(entries);
  const result = join(folder, 'result.json');
  writeFileSync(result, '{}');
  const journal = Journal.open<Entry>(path, identity);
  journal.finish([result]);
  journal.close();
  expect(existsSync(path)).toBe(false);
});

test('an entry is on disk when append returns', () => {
  const journal = Journal.open<Entry>(path, identity);
  const before = statSync(path).size;
  journal.append(entries[0]!);
  expect(statSync(path).size).toBe(before + Buffer.byteLength(JSON.stringify(entries[0])) + 1);
  journal.close();
  truncateSync(path, before);
});
