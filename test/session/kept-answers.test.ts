import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StoppedError } from '../../src/common/errors.js';
import { partialPath } from '../../src/common/journal.js';
import { Rng } from '../../src/common/rng.js';
import { openShared } from '../../src/common/shared-journal.js';
import type { GenerateOptions, GenerationRequest } from '../../src/generation/engine.js';
import type { Decoder } from '../../src/models/decoder.js';
import { type AnswerJournal, generateKept, planGroups } from '../../src/session/kept-answers.js';
import { initBackend } from '../../src/tensors/backend.js';
import { tinyDecoder, tinyTokenizer } from '../generation/tiny.js';

let decoder: Decoder;
let folder: string;
beforeAll(async () => {
  await initBackend('wasm');
  decoder = tinyDecoder(1);
  folder = mkdtempSync(join(tmpdir(), 'arclab-kept-'));
  return () => decoder.dispose();
});
afterAll(() => rmSync(folder, { recursive: true }));

function makeRequests(count: number, samples = 1): GenerationRequest[] {
  const rng = Rng.of(3, 'prompts');
  return Array.from({ length: count }, (_, i) => ({
    tokens: Array.from({ length: rng.int(1, 25) }, () => rng.int(0, tinyTokenizer.vocabSize - 2)),
    samples,
    stream: `request-${i}`,
  }));
}

const sampling = { maxNewTokens: 12, temperature: 1, seed: 5, batchSize: 2 };

test('groups have every answer once; they begin small and are at most half of what was before them', () => {
  const requests = makeRequests(150, 2);
  const groups = planGroups(requests, sampling);
  const wanted = groups.flat().flatMap((item) => item.wanted);
  const names = wanted.map(({ request, sample }) => `${request}/${sample}`);
  expect(new Set(names).size).toBe(300);
  expect(names).toHaveLength(300);
  let before = 0;
  for (const { length } of groups) {
    expect(length).toBeLessThanOrEqual(Math.max(4, Math.min(32, before / 2)));
    before += length;
  }
  const lengths = groups.flat().map(({ request }) => request.tokens.length);
  expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
});

test('greedy answers to one prompt are asked for once, wherever it occurs', () => {
  const [first, ...others] = makeRequests(20);
  const requests = [first!, ...others, { ...first!, stream: 'again' }];
  const groups = planGroups(requests, { ...sampling, temperature: 0 });
  expect(groups.flat()).toHaveLength(20);
  const both = groups.flat().find(({ wanted }) => wanted.length === 2);
  expect(both!.wanted.map(({ request }) => request)).toEqual([0, 20]);
});

const run = (
  requests: readonly GenerationRequest[],
  { path, ...more }: Partial<GenerateOptions> & { path: string },
) => {
  const notes: string[] = [];
  const onNote = (text: string) => notes.push(text);
  const identity = { command: 'test' };
  const journal: AnswerJournal = openShared(partialPath(path), identity, { onNote, rank: 0 });
  const options = { ...sampling, ...more, onNote };
  const completions = generateKept(decoder, tinyTokenizer, requests, options, journal);
  return { completions, notes, journal };
};

test('what was kept is not computed again, and the answers are those of one run', async () => {
  const requests = makeRequests(9, 2);
  const whole = await run(requests, { path: join(folder, 'whole') }).completions;

  const path = join(folder, 'stopped');
  const stopping = new AbortController();
  const stopped = run(requests, {
    path,
    signal: stopping.signal,
    onProgress: ({ finished }) => finished >= 10 && stopping.abort(),
  });
  await expect(stopped.completions).rejects.toThrow(
    new StoppedError('stopped: 8 of 18 answers are kept, and the same command continues'),
  );
  stopped.journal.close();

  let asked = 0;
  const continued = run(requests, { path, onProgress: ({ total }) => (asked = total) });
  expect(await continued.completions).toEqual(whole);
  expect(asked).toBe(10);
  expect(continued.notes).toEqual(['continuing: 8 of 18 answers are there already']);
  continued.journal.finish([]);
  expect(existsSync(partialPath(path))).toBe(false);
});

test('a journal with lines that no group has is damaged, not a stack trace', async () => {
  const path = join(folder, 'odd');
  const first = run(makeRequests(4), { path });
  await first.completions;
  first.journal.close();
  const partial = partialPath(path);
  writeFileSync(partial, `${readFileSync(partial, 'utf8')}{"group":99,"answers":[]}\n{"group":0}\n7\n`);
  const again = run(makeRequests(4), { path });
  expect(await again.completions).toEqual(await first.completions);
  again.journal.close();
});
