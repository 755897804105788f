import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { showProgress } from '../../src/progress/index.js';

test('elsewhere than on a terminal each phase begins with a line, and goes on with one now and then', () => {
  let text = '';
  let now = 0;
  const output = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  const { onEvent } = showProgress(output, { now: () => 1000 * now });
  for (let step = 1; step <= 40; step++, now++) {
    for (const group of [1, 2]) {
      onEvent({
        type: 'fine-tuning',
        group,
        groups: 2,
        step,
        maxSteps: 1000,
        loss: 1 / group,
        secondsLeft: 100 - now,
      });
    }
  }
  onEvent({ type: 'note', text: 'a note' });
  const plan = { total: 20, perInput: 1.5, secondsNeeded: 75, failures: 0 };
  onEvent({ type: 'predicting', ...plan, done: 1, secondsLeft: 60 });
  onEvent({ type: 'predicting', ...plan, done: 2, secondsLeft: 59 });
  onEvent({ type: 'predicting', ...plan, done: 20, secondsNeeded: 0, secondsLeft: 58, failures: 3 });
  expect(text.split('\n')).toEqual([
    'fine-tuning 1 of 2 1/1000: loss 1.0000, 1m40s of the time left',
    'fine-tuning 2 of 2 1/1000: loss 0.5000, 1m40s of the time left',
    'fine-tuning 1 of 2 31/1000: loss 1.0000, 1m10s of the time left',
    'fine-tuning 2 of 2 31/1000: loss 0.5000, 1m10s of the time left',
    'a note',
    'predictions 1/20: 1.5 for each test input, 1m15s for all, 1m00s of the time left',
    'predictions 20/20: 1.5 for each test input, 0s for all, 58s of the time left, 3 failures',
    '',
  ]);
});
