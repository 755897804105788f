import { expect, it } from 'vitest';
import { systemClock } from '../../src/common/clock.js';
import { fineTuneGroups } from '../../src/experiments/submit-fine-tune.js';

it('waits for no process that hangs while it starts, once time is up', async () => {
  const ending = new AbortController();
  const group = { taskIds: new Set(['a']), adapters: [null] };
  const groups = await fineTuneGroups({
    groups: [group],
    slots: [{ name: 'process 1' }],
    start() {
      setTimeout(() => ending.abort(), 10);
      return new Promise(() => {});
    },
    options: { modelPath: '', datasetPath: '', maxSteps: 1 },
    outputDir: '',
    seconds: 60,
    ledger: { fail: () => expect.unreachable() },
    signal: ending.signal,
    clock: systemClock,
    onNote: () => expect.unreachable(),
    onProgress: () => expect.unreachable(),
  });
  expect(groups).toEqual([group]);
});
