/** The flows on an installed PyTorch or TensorFlow: the same losses and the same answers as on the embedded backend. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { generateTasksToFile } from '../../src/experiments/generate-tasks.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import type { FloatType } from '../../src/tensors/precision.js';
import { backendsUnderTest } from '../tensors/backends.js';

describe.each(backendsUnderTest().filter((name) => name !== 'wasm'))('%s and wasm', (native) => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), `arclab-e2e-${native}-`));
    const tasks = { ...startKnobs, generators: ['recolor-one', 'keep-color'], count: 24, seed: 1 };
    generateTasksToFile({ ...tasks, outputFilepath: file('tasks.json') });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const model = { modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()', seed: 7 };

  test('fine-tune with the same losses', async () => {
    const run = (backend: string, maxSteps: number, outputDir: string) =>
      fineTune({
        ...model,
        backend,
        trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
        valDataset: [[file('tasks.json'), 'output-from-examples-mini']],
        outputDir,
        maxSteps,
        loggingSteps: 1,
        saveSteps: 2,
        batchSize: 4,
        learningRate: 1e-3,
        useDora: true,
        workers: 0,
      });
    const [onNative, onWasm] = [await run(native, 4, file(native)), await run('wasm', 4, file('wasm'))];
    const losses = ({ history }: typeof onNative) => [
      ...history.train.map(({ loss }) => loss),
      ...history.validation.map(({ loss }) => loss),
    ];
    const expected = losses(onWasm);
    expect(expected.length).toBeGreaterThan(4);
    for (const [i, loss] of losses(onNative).entries()) expect(loss).toBeCloseTo(expected[i]!, 3);
  });

  test.runIf(native === 'torch')(
    'in bfloat16 and float16 too, and a run in float16 that is continued ends with the same adapter',
    async () => {
      const run = (torchDtype: FloatType, maxSteps: number, outputDir: string, notes: string[] = []) =>
        fineTune({
          ...model,
          backend: 'torch',
          torchDtype,
          trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
          outputDir: file(outputDir),
          maxSteps,
          loggingSteps: 1,
          batchSize: 2,
          learningRate: 1e-3,
          warmupSteps: 0,
          lrSchedulerType: 'constant_with_warmup',
          workers: 0,
          onEvent: (event) => event.type === 'note' && notes.push(event.text),
        });
      const whole = await run('float32', 4, 'whole');
      const losses = ({ history }: typeof whole) => history.train.map(({ loss }) => loss);
      for (const type of ['bfloat16', 'float16'] as const) {
        const half = await run(type, 4, type);
        for (const [i, loss] of losses(half).entries()) {
          expect(Math.abs(loss / losses(whole)[i]! - 1), `${type}, step ${i + 1}`).toBeLessThan(0.03);
        }
      }
      await run('float16', 2, 'parts');
      const notes: string[] = [];
      const parts = await run('float16', 4, 'parts', notes);
      expect(notes.join()).toContain('at step 2');
      const adapter = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));
      expect(adapter(parts.checkpoint).equals(adapter(file('float16/checkpoint-4')))).toBe(true);
      const scaleOf = (folder: string) =>
        JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')).lossScale;
      expect(scaleOf(parts.checkpoint)).toEqual(scaleOf(file('float16/checkpoint-4')));
      expect(scaleOf(parts.checkpoint).scale).toBeGreaterThan(1);
    },
  );

  test('predict the same grids, constrained and free', async () => {
    for (const constrained of [false, true]) {
      const run = (backend: string) =>
        infer({
          ...model,
          backend,
          constrained,
          datasetPath: file('tasks.json'),
          outputFilepath: file(`${backend}-${constrained}.json`),
          promptVersion: 'output-from-examples-mini',
          predictionsPerTask: 2,
          maxOutputTokens: 40,
          batchSize: 5,
        });
      const [onNative, onWasm] = [await run(native), await run('wasm')];
      expect(onNative.predictions.length).toBe(48);
      expect(onNative.predictions.map(({ grid }) => grid)).toEqual(
        onWasm.predictions.map(({ grid }) => grid),
      );
    }
  });
});
