import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import type { FineTuneEvent } from '../../src/training/events.js';
import type { FineTuneConfig } from '../../src/training/options.js';
import { Pace } from '../../src/training/pace.js';
import { Run } from '../../src/training/run.js';
import type { TrainingSample } from '../../src/training/sample.js';
import type { SampleStream } from '../../src/training/sample-stream.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

beforeAll(async () => {
  await initBackend('wasm');
});

/** A run of steps of one sample each, of which some have a loss that is not a number. */
async function run(
  maxSteps: number,
  {
    bad = [],
    saveSteps = -1,
    pace,
    overflows = false,
  }: { bad?: readonly number[]; saveSteps?: number; pace?: Pace; overflows?: boolean } = {},
) {
  const outputDir = temporaryFolder();
  const decoder = await loadDecoder(writeTinyModel(temporaryFolder()), {
    lora: { rank: 2, alpha: 4, dropout: 0, useRslora: false, useDora: false, init: 'gaussian' },
    rng: Rng.of(1, 'lora'),
  });
  if (overflows) {
    const [first] = decoder.trainableVariables().values();
    tf.tidy(() => first!.assign(tf.fill(first!.shape, Number.POSITIVE_INFINITY)));
  }
  let step = 0;
  const next = async (): Promise<TrainingSample> => {
    step += 1;
    return {
      index: step,
      tokens: Int32Array.from({ length: 12 }, (_, i) => (7 * i + step) % 250),
      labelSpans: [[6, 12]],
      kind: 'kind',
      dataset: 'data',
      weight: bad.includes(step) ? Number.NaN : 1,
    };
  };
  const config = {
    ...{
      outputDir,
      maxSteps,
      loggingSteps: 2,
      saveSteps,
      evalSteps: overflows ? 1 : -1,
      seed: 3,
      batchSize: 1,
    },
    ...{ maxTokensPerBatch: 100, maxGradNorm: 1, weightDecay: 0, useLora: true },
    ...{ learningRate: 1e-3, lrSchedulerType: 'linear', warmupSteps: 0 },
  } as unknown as FineTuneConfig;
  const events: FineTuneEvent[] = [];
  const stream = { next, position: 0 } as unknown as SampleStream;
  const validation = overflows ? [await next()] : [];
  const made = new Run(config, decoder, stream, validation, (event) => events.push(event), pace);
  const { history } = await made.train();
  const checkpoint = made.checkpoint();
  made.dispose();
  decoder.dispose();
  const read = (path: string) => readFileSync(path, 'utf8');
  return {
    events,
    history,
    metrics: read(join(outputDir, 'metrics.jsonl')),
    state: JSON.parse(read(join(checkpoint, 'trainer_state.json'))),
  };
}

test('a loss that is not a number spoils neither the mean that it would be part of nor the checkpoint', async () => {
  const { history, metrics, state, events } = await run(4, { bad: [2] });
  expect(history.train.map((point) => point.step)).toEqual([2, 4]);
  for (const { loss, gradNorm } of history.train) {
    expect([loss, gradNorm].every(Number.isFinite), `${loss} ${gradNorm}`).toBe(true);
  }
  expect(metrics).not.toContain('null');
  // a continuation begins with what is in the file
  expect(state.history).toEqual(history);
  expect(events.filter(({ type }) => type === 'note')).toEqual([
    { type: 'note', text: 'step 2 was skipped: its gradient is not finite' },
  ]);
});

test('a model whose numbers overflow has no validation loss, which is said once', async () => {
  const { history, metrics, events } = await run(3, { overflows: true });
  expect(history.validation.map(({ step, loss }) => [step, Number.isFinite(loss)])).toEqual([
    [1, false],
    [2, false],
    [3, false],
  ]);
  const lines = metrics
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ type }) => type === 'validation').map(({ loss }) => loss)).toEqual([
    null,
    null,
    null,
  ]);
  const notes = events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
  expect(notes.filter((text) => text.startsWith('the validation loss is not finite: '))).toHaveLength(1);
});

test('steps that are all skipped are no point of the log, and the next one covers their time', async () => {
  const { history, state } = await run(4, { bad: [1, 2] });
  expect(history.train.map((point) => point.step)).toEqual([4]);
  expect(state.history).toEqual(history);
  const last = await run(3, { bad: [3] });
  expect(last.history.train.map((point) => point.step)).toEqual([2]);
  expect(last.state.window.tally).toEqual({ weighted: 0, sums: {} });
});

test('a run that is shortened by the clock keeps as many checkpoints on its way as the whole one', async () => {
  let left = 40;
  const { events } = await run(1000, { saveSteps: 250, pace: new Pace(1000, () => left--) });
  const saved = events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : []));
  expect(saved).toHaveLength(4);
  expect(saved.at(-1)).toBeGreaterThan(35);
  for (const [i, step] of saved.entries()) {
    expect(Math.abs(step - (saved.at(-1)! * (i + 1)) / 4)).toBeLessThan(2);
  }
  const whole = await run(10, { saveSteps: 4 });
  expect(whole.events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : []))).toEqual([
    4, 8, 10,
  ]);
});
