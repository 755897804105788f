import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateTasksToFile } from '../../src/arc/generate-to-file.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { initBackend } from '../../src/tensors/backend.js';
import { bestValidation, validationsSinceBest } from '../../src/training/best.js';
import type { ValidationPoint } from '../../src/training/metrics-log.js';
import { fineTuneConfig } from '../../src/training/options.js';
import { temporaryFolder } from './temporary.js';

const point = (step: number, loss: number, other = 0): ValidationPoint =>
  ({ step, loss, kinds: { a: { loss: other, labels: 1 } } }) as unknown as ValidationPoint;

describe('the best validation', () => {
  test('is the first of the lowest, and what is no number does not count', () => {
    const points = [point(1, 3), point(2, Number.NaN), point(3, 2), point(4, 2), point(5, 2.5)];
    expect(bestValidation(points)?.step).toBe(3);
    expect(validationsSinceBest(points)).toBe(2);
    expect(bestValidation([])).toBeUndefined();
    expect(validationsSinceBest([])).toBe(0);
    expect(bestValidation([point(1, 1, 5), point(2, 2, 4)], 'a')?.step).toBe(2);
  });

  test('needs a validation set, and a prompt kind of it', () => {
    const options = {
      ...{ modelPath: 'm', outputDir: 'o', maxSteps: 3 },
      trainDatasets: [['t.json', 'kind-a']] as [string, string][],
    };
    expect(() => fineTuneConfig({ ...options, loadBestModelAtEnd: true })).toThrow(
      '`loadBestModelAtEnd`: it needs a validation loss; give `valDataset`',
    );
    expect(() => fineTuneConfig({ ...options, earlyStoppingPatience: 2 })).toThrow(
      '`earlyStoppingPatience`: it',
    );
    expect(() =>
      fineTuneConfig({ ...options, valDataset: [['v.json', 'kind-a']], metricForBestModel: 'kind-b' }),
    ).toThrow('`metricForBestModel`: expected a prompt kind of `valDataset` (kind-a), found "kind-b"');
  });
});

describe('a run that gets worse', () => {
  let folder: string;
  beforeAll(async () => {
    await initBackend('wasm');
  });

  /** A learning rate that spoils the model after the first steps. */
  const run = (outputDir: string, more: object) => {
    const tasks = join(folder, 'tasks.json');
    generateTasksToFile({
      ...startKnobs,
      outputPath: tasks,
      count: 6,
      seed: 1,
      generators: ['recolor-one'],
    });
    return fineTune({
      ...{ modelPath: baseModelFolder(), backend: 'wasm', gridEncoder: 'MinimalGridEncoder()', workers: 0 },
      trainDatasets: [[tasks, 'output-from-examples-mini']],
      valDataset: [[tasks, 'output-from-examples-mini']],
      ...{ outputDir: join(folder, outputDir), maxSteps: 12, batchSize: 2, evalSteps: 1, saveSteps: 4 },
      ...{ learningRate: 0.3, lrSchedulerType: 'constant_with_warmup', warmupSteps: 0, saveTotalLimit: 1 },
      ...more,
    });
  };

  test('keeps its best checkpoint beside the newest, ends with it, and stops when patience is over', async () => {
    folder = temporaryFolder();
    const plain = await run('plain', {});
    const losses = plain.history.validation.map(({ loss }) => loss);
    const best = bestValidation(plain.history.validation)!.step;
    expect(losses.at(-1)).toBeGreaterThan(Math.min(...losses));
    expect(plain.checkpoint).toMatch(/checkpoint-12$/);

    const kept = await run('kept', { loadBestModelAtEnd: true });
    expect(kept.history.validation.map(({ loss }) => loss)).toEqual(losses);
    expect(kept.checkpoint).toBe(join(folder, 'kept', `checkpoint-${best}`));
    const checkpoints = readdirSync(join(folder, 'kept')).filter((name) => name.startsWith('checkpoint-'));
    expect(checkpoints.sort()).toEqual(['checkpoint-12', `checkpoint-${best}`].sort());

    const notes: string[] = [];
    const onEvent = (event: { type: string; text?: string }) =>
      event.type === 'note' && notes.push(event.text!);
    const stopped = await run('stopped', { loadBestModelAtEnd: true, earlyStoppingPatience: 2, onEvent });
    expect(stopped.interrupted).toBe(false);
    expect(stopped.steps).toBeLessThan(12);
    expect(validationsSinceBest(stopped.history.validation)).toBe(2);
    expect(notes.at(-1)).toMatch(
      /^stopped early: 2 validation losses in a row were not below \d+\.\d+ at step \d+$/,
    );
    // a run that has stopped by itself has nothing left to do
    const again = await run('stopped', { loadBestModelAtEnd: true, earlyStoppingPatience: 2 });
    expect(again.steps).toBe(stopped.steps);
    expect(again.checkpoint).toBe(stopped.checkpoint);
  }, 120_000);
});
