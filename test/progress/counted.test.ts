import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { describeSpeed } from '../../src/progress/counted.js';
import { showProgress } from '../../src/progress/index.js';

const progress = {
  finished: 0,
  total: 8,
  tokens: 100,
  forcedTokens: 0,
  promptTokens: 900,
  reusedTokens: 50,
  steps: 3,
  seconds: 2,
};

/** What is written for these moments of generation, on a terminal or elsewhere. */
function written(moments: readonly Partial<typeof progress>[], isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 120,
    cursorTo() {},
    clearLine() {},
    moveCursor() {},
  });
  const { onEvent, stop } = showProgress(stream);
  onEvent({ type: 'note', text: 'a note' });
  for (const moment of moments) onEvent({ type: 'progress', unit: 'answers', ...progress, ...moment });
  stop();
  // newer Nodes give a chunk at a time
  let text = '';
  for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) text += chunk;
  return text;
}

test('elsewhere than on a terminal there is a line now and then', () => {
  const text = written([{}, { seconds: 31 }, { seconds: 40 }, { finished: 2, seconds: 62 }], false);
  expect(text).toBe('a note\n0/8 answers, 32 tok/s, reading prompts\n2/8 answers, 16 tok/s, 3m06s left\n');
});

test('a terminal has a bar, and keeps its cursor whatever happens', () => {
  const text = written([{}, { finished: 6, seconds: 60 }], true);
  expect(text).toContain('6/8 answers | 17 tok/s | 20s left');
  expect(text).not.toContain('\x1b[?25l');
});

test('speed counts what was fed, not what was found in the cache', () => {
  expect(describeSpeed(progress)).toBe(
    '100 tokens written, 900 read, 50 found in the cache, in 2.0 s: 500 tok/s',
  );
});

test('what has no speed is shown without one, by a clock', () => {
  let text = '';
  let now = 0;
  const stream = new PassThrough().on('data', (chunk) => (text += chunk));
  const { onEvent, stop } = showProgress(stream, { now: () => now });
  for (let finished = 0; finished <= 40; finished += 10, now += 20_000) {
    onEvent({ type: 'progress', unit: 'answers', finished, total: 40 });
  }
  stop();
  stream.end();
  expect(text).toBe('20/40 answers, 40s left\n40/40 answers, 0s left\n');
});

test('parts of a flow have headings with numbers', () => {
  let text = '';
  const stream = new PassThrough().on('data', (chunk) => (text += chunk));
  const { onEvent, stop } = showProgress(stream, { heading: (name) => `<${name}>` });
  for (const name of ['Making tasks', 'Training']) onEvent({ type: 'stage', name });
  stop();
  expect(text).toBe('\n<1. Making tasks>\n\n<2. Training>\n');
});
