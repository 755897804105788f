/** A prompt kind of several turns goes through every flow that a kind of one question goes through. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import { loadResults } from '../../src/evaluation/files.js';
import { validateSubmission } from '../../src/evaluation/submission.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { infer } from '../../src/experiments/infer.js';
import { score } from '../../src/experiments/score.js';
import { testTimeFineTune } from '../../src/experiments/test-time-fine-tune.js';
import { submit } from '../../src/submit/submit.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const promptVersion = 'output-from-examples-bare';

test('fine-tuning on every answer, then inference, scores and a submission, with few tokens and a grammar', async () => {
  const folder = temporaryFolder();
  const datasetPath = writeTasks(join(folder, 'tasks.json'), recolourTasks(4));
  const model = {
    modelPath: writeTinyModel(join(folder, 'model')),
    gridEncoder: 'MinimalGridEncoder()',
    pruneVocab: true,
  };
  const { checkpoint, history } = await fineTune({
    ...model,
    trainDatasets: [[datasetPath, promptVersion]],
    valDataset: [[datasetPath, promptVersion]],
    outputDir: join(folder, 'run'),
    lossOn: 'every-answer',
    maxSteps: 40,
    evalSteps: 20,
    batchSize: 4,
    learningRate: 1e-2,
    colorAugmentation: false,
    lora: { r: 8, targetModules: ['q_proj', 'v_proj', 'up_proj', 'down_proj'] },
  });
  const [before, after] = history.validation;
  // 4 tasks with 3 examples: a label for each of 4 cells, the end of a row and the end of turn, of 4 answers
  expect(before!.labels).toBe(4 * 4 * 6);
  expect(after!.loss).toBeLessThan(before!.loss);

  const asked = { ...model, adapterPath: checkpoint, datasetPath, promptVersion };
  const outputPath = join(folder, 'inference.json');
  const { predictions } = await infer({ ...asked, outputPath, constrained: true, predictionsPerTask: 2 });
  expect(predictions).toHaveLength(8);
  expect(predictions.every(({ grid }) => grid !== null)).toBe(true);
  const resultPath = join(folder, 'inference_task_results.json');
  expect(Object.keys(loadResults(resultPath))).not.toHaveLength(0);
  const { kinds } = await score({ ...asked, inputPath: resultPath });
  expect(kinds[0]).toMatchObject({ kind: promptVersion, tooLong: 0 });

  const tuned = await testTimeFineTune({
    ...asked,
    outputDir: join(folder, 'tuned'),
    lossOn: 'every-answer',
    maxSteps: 2,
    batchSize: 2,
  });
  expect(tuned.steps).toBe(2);

  const outputDir = join(folder, 'submission');
  const { modelPath, gridEncoder, pruneVocab, adapterPath } = asked;
  await submit({
    ...{ modelPath, gridEncoder, pruneVocab, adapterPath, promptVersion, outputDir },
    challengesPath: datasetPath,
    predictionsPerTask: 2,
  });
  const submission = JSON.parse(readFileSync(join(outputDir, 'submission.json'), 'utf8'));
  expect(() => validateSubmission(submission, loadTasks(datasetPath))).not.toThrow();
});
