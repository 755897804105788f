/** Fine-tuning on one task after the other in memory. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { augmentTask } from '../../src/arc/augmentation.js';
import { loadTasks } from '../../src/arc/dataset.js';
import type { Task } from '../../src/arc/types.js';
import { packageRoot } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { adapterState, loadDecoder } from '../../src/models/index.js';
import { type ModelSession, openModel } from '../../src/session/index.js';
import { TaskSamples } from '../../src/session/task-samples.js';
import { TaskViews } from '../../src/session/views.js';
import * as tf from '../../src/tensors/tf.js';
import { microBatchGradients } from '../../src/training/loss.js';
import { trainingBytes } from '../../src/training/memory.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const promptVersion = 'output-from-examples-mini';
const tuning = { promptVersion, maxSteps: 4, learningRate: 0.02, maxSeqLen: 512, lora: { r: 2 } } as const;

async function openTiny(count: number) {
  const folder = temporaryFolder();
  const tasks = loadTasks(writeTasks(join(folder, 'tasks.json'), recolourTasks(count)));
  const modelPath = writeTinyModel(join(folder, 'model'));
  const model = await openModel({ modelPath, gridEncoder: 'MinimalGridEncoder()', maxSeqLen: 512 });
  return { model, tasks: [...tasks] };
}

/** An adapter's numbers. */
const bytesOf = ({ modules }: NonNullable<ModelSession['adapter']>) =>
  Array.from(modules, ([name, { a, b }]) => [
    name,
    Buffer.from(a.values.buffer),
    Buffer.from(b.values.buffer),
  ]);

test('every task begins with the same bytes, and what it becomes does not depend on those before', async () => {
  const { model, tasks } = await openTiny(3);
  using _ = model;
  const after = async (order: readonly number[]) => {
    const found = new Map<string, unknown>();
    for (const i of order) {
      const { adapter, steps } = await model.fineTuneOnTask(tasks[i]!, { ...tuning, start });
      expect(steps).toBe(4);
      expect(bytesOf(start!)).toEqual(began);
      found.set(tasks[i]![0], bytesOf(adapter));
    }
    return found;
  };
  // an adapter that has learnt something
  await model.fineTuneOnTask(tasks[0]!, { ...tuning, start: null });
  const start = model.adapter;
  const began = bytesOf(start!);
  const forwards = await after([0, 1, 2]);
  const backwards = await after([2, 1, 0]);
  for (const [id, bytes] of forwards) expect(backwards.get(id)).toEqual(bytes);
  expect(forwards.get(tasks[0]![0])).not.toEqual(forwards.get(tasks[1]![0]));
  await model.useAdapter(start);
  expect(bytesOf(model.adapter!)).toEqual(began);
});

test('every train sample is the target in turn, in new views of the task without it', async () => {
  const [[taskId, task]] = Object.entries(recolourTasks(1)) as [[string, Task]];
  const seen: Task[] = [];
  const prompts = {
    training(shown: Task) {
      seen.push(shown);
      return { tokens: [1, 2, 3], answers: [[1, 3]] as [number, number][] };
    },
  };
  const options = { seed: 7, lossOn: 'every-answer', maxSeqLen: 9, promptVersion } as const;
  const samples = new TaskSamples(taskId, task, prompts, options);
  expect(samples.targets).toBe(3);
  for (let i = 0; i < 48; i++) samples.item(i);
  for (const [i, shown] of seen.entries()) {
    const target = i % 3;
    const variant = { train: task.train.toSpliced(target, 1), test: [task.train[target]!] };
    const view = new TaskViews(7, `${taskId}/train/${target}`, variant, {}).at(Math.floor(i / 3));
    expect(shown).toEqual(augmentTask(variant, view));
  }
  // 2 of 3 samples and one input are shown: no view of a target occurs twice
  expect(new Set(seen.map((shown) => JSON.stringify(shown))).size).toBe(48);
  seen.length = 0;
  const held = new TaskSamples(taskId, task, prompts, { ...options, holdOut: true });
  expect(held.targets).toBe(2);
  for (let i = 0; i < 32; i++) held.item(i);
  // up to symmetry and colours, the targets of the steps are the first two
  const ones = (grid: readonly (readonly number[])[]) => new Set(grid.flat()).size;
  const inputs = task.train.map(({ input }) => ones(input));
  for (const [i, { test }] of seen.entries()) expect(ones(test[0]!.input)).toBe(inputs[i % 2]);
  seen.length = 0;
  expect(held.heldOut(8)).toHaveLength(8);
  for (const { test } of seen) expect(ones(test[0]!.input)).toBe(inputs[2]);
  const single = new TaskSamples(taskId, { ...task, train: task.train.slice(0, 1) }, prompts, options);
  expect(single.targets).toBe(0);
});

test('ends early where the loss is low, or the sample that is kept back is solved in all its views', async () => {
  using model = await openModel({
    modelPath: join(packageRoot(), 'assets/base-model'),
    gridEncoder: 'MinimalGridEncoder()',
    maxSeqLen: 512,
  });
  // every output is all 3: soon learnt, and then right for any input
  const [task] = Object.entries(recolourTasks(1)) as [[string, Task]];
  const options = {
    ...tuning,
    learningRate: 0.01,
    lrSchedulerType: 'constant_with_warmup',
    colorAugmentation: false,
    maxSteps: 96,
    lora: { r: 8, alpha: 16, targetModules: ['all-linear'] },
  } as const;
  const whole = await model.fineTuneOnTask(task, { ...options, maxSteps: 12, start: null });
  expect(whole).toMatchObject({ steps: 12 });
  expect(whole.stopped).toBeUndefined();
  const low = await model.fineTuneOnTask(task, { ...options, stopLoss: 0.5, start: null });
  expect(low).toMatchObject({ stopped: 'loss' });
  expect(low.loss).toBeLessThan(0.5);
  expect(low.steps).toBeGreaterThanOrEqual(8);
  const solved = await model.fineTuneOnTask(task, { ...options, stopWhenSolved: 4, start: null });
  expect(solved).toMatchObject({ stopped: 'solved' });
  expect(solved.steps % 4).toBe(0);
  // the views of the sample that was kept back are those of a task of that name
  const [id, { train }] = task;
  const kept = new Map([[`${id}/train/2`, { train: train.slice(0, 2), test: [train[2]!] }]]);
  const decoding = { promptVersion, predictionsPerTask: 8, maxNewTokens: 12, colorAugmentation: false };
  const { predictions } = await model.infer(kept, decoding);
  expect(predictions).toHaveLength(8);
  for (const { grid } of predictions) expect(grid).toEqual(train[2]!.output);
});

test('a task with one train sample, or none that fits, keeps the adapter as it was', async () => {
  const { model, tasks } = await openTiny(1);
  using _ = model;
  const [id, task] = tasks[0]!;
  const single = { ...task, train: task.train.slice(0, 1) };
  expect(await model.fineTuneOnTask([id, single], tuning)).toMatchObject({ steps: 0, stopped: 'no samples' });
  const short = { ...tuning, maxSeqLen: 8 };
  expect(await model.fineTuneOnTask([id, task], short)).toMatchObject({ steps: 0, stopped: 'no samples' });
});

test('memory stays flat over 50 tasks', async () => {
  const { model, tasks } = await openTiny(50);
  using _ = model;
  const counts: number[] = [];
  const options = { ...tuning, maxSteps: 2, start: null };
  const { adapter: start } = await model.fineTuneOnTask(tasks[0]!, options);
  for (const task of tasks) {
    await model.fineTuneOnTask(task, { ...options, start });
    const { numTensors, numBytes } = tf.memory();
    counts.push(numTensors, numBytes);
  }
  expect(new Set(counts).size).toBe(2);
});

test('what a step takes is predicted within a factor of 1.7, with and without checkpoints of layers', async () => {
  const folder = temporaryFolder();
  const lora = { rank: 8, alpha: 16, dropout: 0, useRslora: false, useDora: false, init: 'default' } as const;
  const decoder = await loadDecoder(writeTinyModel(join(folder, 'model')), { lora, rng: Rng.of(1, 'lora') });
  expect(await adapterState(decoder)).toBeDefined();
  for (const checkpointing of [false, true]) {
    decoder.gradientCheckpointing = checkpointing;
    for (const length of [256, 1024]) {
      const labels = Math.floor(length / 6);
      const tokens = Int32Array.from({ length }, (_, i) => i % 20);
      const sample = { index: 0, tokens, labelSpans: [[length - labels, length]] as const, weight: 1 };
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(() => {
        const named = { ...sample, kind: '', dataset: '' };
        const { gradients, logProbs } = microBatchGradients(decoder, [named], { divisor: 1, rng: Rng.of(1) });
        tf.dispose([gradients, logProbs]);
        return tf.scalar(0);
      });
      const ratio =
        (peakBytes - before) / trainingBytes(decoder, { tokens: length, labels }, { checkpointing });
      expect(ratio).toBeGreaterThan(1 / 1.7);
      expect(ratio).toBeLessThan(1.7);
    }
  }
  decoder.dispose();
});

test('memory that is predicted counts adapters on the tables, and tables that are trained as a whole', async () => {
  const decoder = await loadDecoder(writeTinyModel(join(temporaryFolder(), 'tables')));
  const { vocabSize: rows, hiddenSize: width } = decoder.config;
  const bytes = (lora: object) =>
    trainingBytes(
      { config: decoder.config, floatType: 'float32', cut: undefined, lora: { rank: 8, ...lora } },
      { tokens: 64, labels: 8 },
      { checkpointing: false },
    ) -
    trainingBytes(
      { config: decoder.config, floatType: 'float32', cut: undefined, lora: { rank: 8 } },
      { tokens: 64, labels: 8 },
      { checkpointing: false },
    );
  expect(bytes({ targetModules: ['q_proj'] })).toBe(0);
  expect(bytes({ targetModules: ['q_proj', 'embed_tokens'] })).toBe(4 * 8 * (rows + width));
  expect(bytes({ targetModules: ['embed_tokens', 'lm_head'] })).toBe(2 * 4 * 8 * (rows + width));
  expect(bytes({ modulesToSave: ['model.embed_tokens', 'lm_head'] })).toBe(2 * 4 * rows * width);
  decoder.dispose();
});
