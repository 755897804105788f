import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { formatDuration } from '../../src/common/duration.js';
import { showProgress } from '../../src/progress/index.js';
import type { FineTuneEvent } from '../../src/training/events.js';
import { LossTally } from '../../src/training/tally.js';

const report = {
  loss: 0.5,
  tally: new LossTally(),
  learningRate: 1e-4,
  gradNorm: 1,
  lossScale: 1,
  updated: true,
  microBatches: 1,
  tokens: 100,
  labels: 10,
  seconds: 0.5,
};
const kinds = { a: { loss: 0.25, labels: 4 }, b: { loss: 0.75, labels: 4 } };
const events: FineTuneEvent[] = [
  { type: 'note', text: 'backend wasm' },
  { type: 'start', step: 2, maxSteps: 12, parameters: 12345 },
  { type: 'step', report: { ...report, step: 3 } },
  {
    type: 'train',
    point: { step: 3, loss: 0.5, kinds, learningRate: 1e-4, gradNorm: 1, tokens: 100, tokensPerSecond: 200 },
  },
  { type: 'step', report: { ...report, step: 4 } },
  {
    type: 'validation',
    point: { step: 4, loss: 0.5, labels: 8, kinds, datasets: {}, samples: 2, seconds: 1 },
  },
  { type: 'checkpoint', step: 4, path: '/out/checkpoint-4' },
];

/** What is written for the events, 10 s after each other, to an output. */
function shown(isTTY: boolean): string {
  let text = '';
  const output = Object.assign(
    new Writable({
      write: (chunk, _, done) => {
        text += chunk;
        done();
      },
    }),
    { isTTY, cursorTo: () => true, clearLine: () => true, moveCursor: () => true, columns: 120 },
  );
  let now = 0;
  const progress = showProgress(output, { verbose: true, now: () => now });
  for (const event of events) {
    progress.onEvent(event);
    now += 10_000;
  }
  progress.stop();
  return text;
}

test('elsewhere than on a terminal: one plain line for each point, validation, checkpoint and note', () => {
  expect(shown(false).split('\n')).toEqual([
    'backend wasm',
    'training 12,345 parameters, steps 3 to 12',
    'step 3/12 loss 0.5000 (a 0.2500, b 0.7500) lr 1.00e-4 200 tok/s eta 3m00s',
    'step 4/12 val_loss 0.5000 over 2 samples; by kind: a 0.2500, b 0.7500',
    'step 4/12 saved /out/checkpoint-4',
    '',
  ]);
});

test('on a terminal: a bar with step, loss, speed and the time that is left, and lines above it', () => {
  const text = shown(true);
  expect(text).toContain('4/12 steps | loss 0.5000 | lr 1.00e-4 | 200 tok/s');
  expect(text).toContain('step 4/12 saved /out/checkpoint-4\n');
  expect(text).not.toContain('step 3/12 loss');
});

test.each([
  [3.4, '3s'],
  [125, '2m05s'],
  [4020, '1h07m'],
  [Number.NaN, '?'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('progress goes to the standard error, but in a kernel, where that is red, to the standard output', () => {
  const written: string[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written.push(`${name}: ${String(text)}`);
      return true;
    });
  }
  vi.stubEnv('JPY_PARENT_PID', undefined);
  showProgress().onEvent({ type: 'note', text: 'a' });
  vi.stubEnv('JPY_PARENT_PID', '1');
  showProgress().onEvent({ type: 'note', text: 'b' });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  expect(written).toEqual(['stderr: a\n', 'stdout: b\n']);
});
