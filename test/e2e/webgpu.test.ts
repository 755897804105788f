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
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

describe.runIf(webGpuUnderTest().length > 0)('webgpu and wasm', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-e2e-webgpu-'));
    const tasks = { ...startKnobs, generators: ['recolor-one'], count: 2, seed: 1 };
    generateTasksToFile({ ...tasks, outputFilepath: file('tasks.json') });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  // a driver in software, on a machine that may be busy: small models, long timeouts
  const TIMEOUT = 600_000;
  const place = (backend: string) =>
    backend === 'webgpu' ? { backend, device: 'swiftshader' } : { backend };
  const common = { gridEncoder: 'MinimalGridEncoder()', seed: 7 };

  test('50 steps of fine-tuning with the same losses', { timeout: TIMEOUT }, async () => {
    const modelPath = writeTinyModel(file('tiny'));
    const tasks = writeTasks(file('recolour.json'), recolourTasks(4));
    const run = async (backend: string) => {
      const { history } = await fineTune({
        ...common,
        ...place(backend),
        modelPath,
        trainDatasets: [[tasks, 'output-from-examples-mini']],
        outputDir: file(backend),
        maxSteps: 50,
        loggingSteps: 1,
        batchSize: 1,
        learningRate: 1e-2,
        lora: { dropout: 0.1 },
        workers: 0,
      });
      return history.train.map(({ loss }) => loss);
    };
    const [onGpu, onWasm] = [await run('webgpu'), await run('wasm')];
    expect(onGpu.length).toBe(50);
    for (const [i, loss] of onGpu.entries()) {
      expect(Math.abs(loss - onWasm[i]!), `step ${i + 1}`).toBeLessThan(1e-4);
    }
    // and it learns, so that what an update gets wrong shows in later losses
    expect(onGpu.at(-1)!).toBeLessThan(onGpu[0]! - 0.1);
  });

  test('predict the same grids', { timeout: TIMEOUT }, async () => {
    const run = (backend: string) =>
      infer({
        ...common,
        ...place(backend),
        modelPath: baseModelFolder(),
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
