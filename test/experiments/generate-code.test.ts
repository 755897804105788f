/** Programs that a model writes: text, kept as it is, and what is cut off left out. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { generateCode } from '../../src/experiments/generate-code.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-code-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const modelPath = writeTinyModel(join(folder, 'model'));
const code = 'fill 3';
const data = Object.fromEntries(
  Object.entries(recolourTasks(2)).map(([id, task]) => [id, { ...task, code }]),
);
const datasetPath = writeTasks(join(folder, 'tasks.json'), data);
const outputPath = join(folder, 'programs.json');
const gridEncoder = 'MinimalGridEncoder()';

test('a model that has learned a program writes it, and the end of it', async () => {
  const { checkpoint } = await fineTune({
    modelPath,
    gridEncoder,
    trainDatasets: [[datasetPath, 'code-from-examples-v0']],
    valDataset: [[datasetPath, 'output-from-code-v0']],
    outputDir: join(folder, 'trained'),
    maxSteps: 40,
    batchSize: 4,
    learningRate: 1e-2,
    useLora: false,
    seed: 1,
  });
  const result = await generateCode({
    modelPath: checkpoint,
    gridEncoder,
    datasetPath,
    outputPath,
    n: 2,
    temperature: 0,
    maxNewTokens: 16,
  });
  expect(result).toMatchObject({ drawn: 4, finished: 4, tooLong: 0 });
  const written = JSON.parse(readFileSync(outputPath, 'utf8'));
  expect(written).toEqual(Object.fromEntries(result.programs));
  expect(Object.keys(written)).toEqual(['task0', 'task1']);
  expect(written.task0).toEqual([{ code, logProb: expect.any(Number), count: 2 }]);
  expect(existsSync(`${outputPath}.partial`)).toBe(false);
});

test('what is cut off is no program, and is counted', async () => {
  const notes: string[] = [];
  const result = await generateCode({
    modelPath,
    gridEncoder,
    datasetPath,
    outputPath: join(folder, 'cut.json'),
    nTasks: 1,
    n: 3,
    maxNewTokens: 2,
    seed: 2,
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(result.drawn - result.finished).toBeGreaterThan(0);
  expect(notes).toContain(
    `${result.drawn - result.finished} of 3 programs were cut off at \`maxNewTokens: 2\``,
  );
});

test('what makes no sense is refused before a model is loaded', async () => {
  const wrong = { modelPath: 'nowhere', datasetPath, outputPath };
  await expect(generateCode({ ...wrong, promptVersion: 'output-from-code-v0' })).rejects.toThrow(
    'generation of code needs one that asks for code-from-examples',
  );
  await expect(
    generateCode({ modelPath, gridEncoder, datasetPath, outputPath, maxSeqLen: 64, maxNewTokens: 60 }),
  ).rejects.toThrow('no prompt of ');
});
