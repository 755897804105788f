/**
 * A GPU that goes away or has no memory in the middle of a run: what was written stays, and another backend goes on with
 * the same data.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FineTuneOptions, fineTune } from '../../src/experiments/fine-tune.js';
import { type InferOptions, infer } from '../../src/experiments/infer.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { listCheckpoints } from '../../src/training/checkpoints.js';
import { webGpuUnderTest } from '../prerequisites/index.js';
import { leaveBytes } from '../tensors/address-space.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

/** Takes the GPU away. */
const loseDevice = () => (tf.backend() as unknown as WebGpuBackend).device.destroy();
const onGpu = { backend: 'webgpu', device: 'swiftshader' };

describe.runIf(webGpuUnderTest().length > 0)('a device that is lost', () => {
  let folder: string;
  let modelPath: string;
  let tasks: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-lost-'));
    modelPath = writeTinyModel(join(folder, 'tiny'));
    tasks = writeTasks(join(folder, 'recolour.json'), recolourTasks(4));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('in training: the run goes on from its checkpoint on wasm, with the same samples', {
    timeout: 240_000,
  }, async () => {
    const options = (name: string): FineTuneOptions => ({
      gridEncoder: 'MinimalGridEncoder()',
      modelPath,
      trainDatasets: [[tasks, 'output-from-examples-mini']],
      outputDir: join(folder, name),
      seed: 7,
      maxSteps: 8,
      saveSteps: 3,
      loggingSteps: 1,
      batchSize: 1,
      learningRate: 1e-2,
      lora: { dropout: 0.1 },
      workers: 0,
    });
    const broken = options('broken');
    const lost = fineTune({
      ...broken,
      ...onGpu,
      onEvent: (event) => {
        if (event.type === 'step' && event.report.step === 5) loseDevice();
      },
    });
    await expect(lost).rejects.toThrow(
      /^webgpu: the device SwiftShader.* was lost \(.*\) in step 6; .*checkpoint-3 is whole: run the same command again, with this or another `backend`, and it goes on from step 3 with the same data$/,
    );
    expect(listCheckpoints(broken.outputDir).map(({ step }) => step)).toEqual([3]);
    const notes: string[] = [];
    const resumed = await fineTune({
      ...broken,
      backend: 'wasm',
      onEvent: (event) => {
        if (event.type === 'note') notes.push(event.text);
      },
    });
    expect(notes).toContainEqual(expect.stringMatching(/^continuing .*checkpoint-3 at step 3$/));
    const whole = await fineTune({ ...options('whole'), backend: 'wasm' });
    const [found, expected] = [resumed, whole].map(({ history }) => history.train.map(({ loss }) => loss));
    expect(found!.length).toBe(8);
    for (const [i, loss] of found!.entries())
      expect(Math.abs(loss - expected![i]!), `step ${i + 1}`).toBeLessThan(1e-4);
  });

  test('in decoding: answers that were kept are not asked for again', { timeout: 240_000 }, async () => {
    const options = (name: string): InferOptions => ({
      gridEncoder: 'MinimalGridEncoder()',
      modelPath,
      datasetPath: tasks,
      outputPath: join(folder, name),
      promptVersion: 'output-from-examples-mini',
      predictionsPerTask: 4,
      maxNewTokens: 3,
      batchSize: 2,
      seed: 7,
    });
    let groups = 0;
    const broken = options('broken.json');
    const lost = infer({
      ...broken,
      ...onGpu,
      onEvent: (event) => {
        if (event.type === 'progress' && event.finished >= 8 && groups++ === 0) loseDevice();
      },
    });
    await expect(lost).rejects.toThrow(
      /^webgpu: the device SwiftShader.* was lost \(.*\); what was written is whole: run the same command again, or with another `backend`$/,
    );
    expect(existsSync(broken.outputPath)).toBe(false);
    const notes: string[] = [];
    const resumed = await infer({
      ...broken,
      ...onGpu,
      onEvent: (event) => {
        if (event.type === 'note') notes.push(event.text);
      },
    });
    const whole = await infer({ ...options('whole.json'), backend: 'wasm' });
    expect(resumed.predictions.map(({ grid }) => grid)).toEqual(whole.predictions.map(({ grid }) => grid));
    expect(notes).toEqual(['continuing: 8 of 16 answers are there already']);
  });

  test('memory that the driver refuses: what for, how much, which option needs less, and the run goes on elsewhere', {
    timeout: 240_000,
  }, async () => {
    // with this seed the sample of the second step is the long one
    const wide = writeTinyModel(join(folder, 'wide'), 1, { layers: 2, intermediateSize: 2 ** 13 });
    const [small, long] = [recolourTasks(2), recolourTasks(1, 13)];
    const mixed = writeTasks(join(folder, 'mixed.json'), { ...small, long: long.task0 });
    const options = (name: string): FineTuneOptions => ({
      gridEncoder: 'MinimalGridEncoder()',
      modelPath: wide,
      trainDatasets: [[mixed, 'output-from-examples-mini']],
      outputDir: join(folder, name),
      seed: 7,
      maxSteps: 2,
      saveSteps: 1,
      loggingSteps: 1,
      batchSize: 1,
      workers: 0,
    });
    const broken = options('refused');
    const large = 2 ** 25;
    let asked = 0;
    const refused = fineTune({
      ...broken,
      ...onGpu,
      onEvent: (event) => {
        if (event.type !== 'step' || event.report.step !== 1) return;
        const { pool } = tf.backend() as unknown as WebGpuBackend;
        const create = pool.create.bind(pool);
        pool.create = (bytes, ...rest) => {
          if (bytes < large) return create(bytes, ...rest);
          asked++;
          // only while the driver is asked: the host would end where it has nothing left
          const giveBack = leaveBytes(2 ** 20);
          try {
            return create(bytes, ...rest);
          } finally {
            giveBack();
          }
        };
      },
    });
    await expect(refused).rejects.toThrow(
      /^out of memory in step 2, a micro-batch of 1 samples with \d+ tokens, the longest of \d+ \(webgpu: SwiftShader.* has no [\d.]+ MiB for \w+.* \[\d+,8192\], with [\d.]+ MiB in use\); use a lower `maxTokensPerBatch` \(\d+ now\) or `maxSeqLen`, or `gradientCheckpointing`, or `dtype: bfloat16`; .*checkpoint-1 is whole, and the run goes on from step 1$/,
    );
    expect(asked).toBeGreaterThan(0);
    const resumed = await fineTune({ ...broken, backend: 'wasm' });
    const whole = await fineTune({ ...options('unrefused'), backend: 'wasm' });
    const [found, expected] = [resumed, whole].map(({ history }) => history.train.map(({ loss }) => loss));
    expect(found!.length).toBe(2);
    for (const [i, loss] of found!.entries())
      expect(Math.abs(loss - expected![i]!), `step ${i + 1}`).toBeLessThan(1e-4);
    // and the next run of this process has a device again
    await initBackend('webgpu', { device: 'swiftshader' });
    expect(Array.from(await tf.relu(tf.tensor1d([-1, 2])).data())).toEqual([0, 2]);
  });
});
