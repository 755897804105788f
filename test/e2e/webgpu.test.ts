/** The flows on WebGPU: the same losses and the same answers as on the embedded backend. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateTasksToFile } from '../../src/arc/generate-to-file.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { webGpuUnderTest } from '../prerequisites/index.js';

describe.runIf(webGpuUnderTest().length > 0)('webgpu and wasm', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-e2e-webgpu-'));
    const tasks = { ...startKnobs, generators: ['recolor-one'], count: 2, seed: 1 };
    generateTasksToFile({ ...tasks, outputFilepath: file('tasks.json') });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  // a driver in software: few steps of a small model
  const model = { modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()', seed: 7 };
  const place = (backend: string) =>
    backend === 'webgpu' ? { backend, device: 'swiftshader' } : { backend };

  test('fine-tune with the same losses', { timeout: 240_000 }, async () => {
    const run = (backend: string) =>
      fineTune({
        ...model,
        ...place(backend),
        trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
        outputDir: file(backend),
        maxSteps: 3,
        loggingSteps: 1,
        batchSize: 1,
        learningRate: 1e-3,
        lora: { dropout: 0.1 },
        workers: 0,
      });
    const [onGpu, onWasm] = [await run('webgpu'), await run('wasm')];
    expect(onGpu.history.train.length).toBe(3);
    for (const [i, { loss }] of onGpu.history.train.entries()) {
      expect(Math.abs(loss - onWasm.history.train[i]!.loss)).toBeLessThan(1e-4);
    }
  });

  test('predict the same grids', { timeout: 240_000 }, async () => {
    const run = (backend: string) =>
      infer({
        ...model,
        ...place(backend),
        datasetPath: file('tasks.json'),
        outputFilepath: file(`${backend}.json`),
        promptVersion: 'output-from-examples-mini',
        predictionsPerTask: 1,
        maxNewTokens: 20,
        batchSize: 2,
      });
    const [onGpu, onWasm] = [await run('webgpu'), await run('wasm')];
    expect(onGpu.predictions.map(({ grid }) => grid)).toEqual(onWasm.predictions.map(({ grid }) => grid));
  });
});
