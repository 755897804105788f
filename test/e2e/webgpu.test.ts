/** The flows on WebGPU: the same losses and the same answers as on the embedded backend. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateTasksToFile } from '../../src/arc/generate-to-file.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, start, startKnobs } from '../../src/experiments/start.js';
import { webGpuUnderTest } from '../prerequisites/index.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

describe.runIf(webGpuUnderTest().length > 0)('webgpu and wasm', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-e2e-webgpu-'));
    const tasks = { ...startKnobs, generators: ['recolor-one'], count: 2, seed: 1 };
    generateTasksToFile({ ...tasks, outputPath: file('tasks.json') });
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
        outputPath: file(`${backend}.json`),
        promptVersion: 'output-from-examples-mini',
        predictionsPerTask: 1,
        maxNewTokens: 20,
        batchSize: 2,
      });
    const [onGpu, onWasm] = [await run('webgpu'), await run('wasm')];
    expect(onGpu.predictions.map(({ grid }) => grid)).toEqual(onWasm.predictions.map(({ grid }) => grid));
  });

  test('npm start learns as on wasm, as far as it trains', { timeout: TIMEOUT }, async () => {
    const run = async (backend: string) => {
      const enough = new AbortController();
      const losses: number[] = [];
      const validation: number[] = [];
      const small = { maxSteps: 2, trainTasks: 8, valTasks: 1, predictionsPerTask: 1 };
      const started = start({
        ...small,
        backend,
        outputDir: file(`start-${backend}`),
        signal: enough.signal,
        onEvent: (event) => {
          if (event.type === 'train') losses.push(event.point.loss);
          if (event.type === 'validation') validation.push(event.point.loss);
          // searching for answers takes a driver in software minutes
          if (event.type === 'stage' && event.name.startsWith('Answering')) enough.abort();
        },
      });
      await expect(started).rejects.toThrow();
      expect(enough.signal.aborted).toBe(true);
      return { losses, validation };
    };
    const [onGpu, onWasm] = [await run('webgpu'), await run('wasm')];
    expect([onGpu.losses.length, onGpu.validation.length]).toEqual([2, 2]);
    const all = (found: typeof onGpu) => [...found.losses, ...found.validation];
    for (const [i, loss] of all(onGpu).entries()) {
      expect(Math.abs(loss - all(onWasm)[i]!)).toBeLessThan(1e-4);
    }
    expect(onGpu.validation.at(-1)!).toBeLessThan(onGpu.validation[0]! - 0.1);
  });
});
