/** Test-time fine-tuning of an adapter for each task. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import { testTimeFineTune } from '../../src/experiments/test-time-fine-tune.js';
import { openModel } from '../../src/session/index.js';
import { keepNotes } from '../notes.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

test('each task gets the adapter that a session learns from the same start, and what is there stays', async () => {
  const folder = temporaryFolder();
  const datasetPath = writeTasks(join(folder, 'tasks.json'), recolourTasks(2));
  const modelPath = writeTinyModel(join(folder, 'model'));
  const base = { modelPath, gridEncoder: 'MinimalGridEncoder()' };
  const steps = { promptVersion: 'output-from-examples-mini', maxSteps: 2, batchSize: 1, maxSeqLen: 512 };
  const tuning = { ...steps, learningRate: 0.02, lora: { r: 2 } };
  const outputDir = join(folder, 'adapters');
  const options = { ...base, ...tuning, datasetPath, outputDir, perTask: true };
  expect(await testTimeFineTune(options)).toMatchObject({ checkpoint: outputDir, steps: 4 });
  using model = await openModel(base);
  const weights = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
  for (const task of loadTasks(datasetPath)) {
    await model.fineTuneOnTask(task, { ...tuning, start: null });
    const expected = join(folder, `expected-${task[0]}`);
    await model.saveAdapter(expected);
    expect(weights(join(outputDir, `task-${task[0]}`)).equals(weights(expected))).toBe(true);
  }
  const written = () => statSync(join(outputDir, 'task-task0')).mtimeMs;
  const before = written();
  const notes: string[] = [];
  expect(await testTimeFineTune({ ...options, onEvent: keepNotes(notes) })).toMatchObject({ steps: 0 });
  expect(written()).toBe(before);
  expect(notes.filter((text) => text.includes('is there'))).toHaveLength(2);
  await expect(testTimeFineTune({ ...options, perTask: false, stopLoss: 1 })).rejects.toThrow(
    /^`stopLoss`: it needs `perTask`$/,
  );
});
