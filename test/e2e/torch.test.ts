/** The flows on an installed PyTorch: the same losses and the same answers as on the embedded backend. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { generateTasksToFile } from '../../src/experiments/generate-tasks.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { backendsUnderTest } from '../tensors/backends.js';

describe.runIf(backendsUnderTest().includes('torch'))('torch and wasm', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-e2e-torch-'));
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
    const [onTorch, onWasm] = [await run('torch', 4, file('torch')), await run('wasm', 4, file('wasm'))];
    const losses = ({ history }: typeof onTorch) => [
      ...history.train.map(({ loss }) => loss),
      ...history.validation.map(({ loss }) => loss),
    ];
    const expected = losses(onWasm);
    expect(expected.length).toBeGreaterThan(4);
    for (const [i, loss] of losses(onTorch).entries()) expect(loss).toBeCloseTo(expected[i]!, 3);
  });

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
      const [onTorch, onWasm] = [await run('torch'), await run('wasm')];
      expect(onTorch.predictions.length).toBe(48);
      expect(onTorch.predictions.map(({ grid }) => grid)).toEqual(onWasm.predictions.map(({ grid }) => grid));
    }
  });
});
