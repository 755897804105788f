/** --prune_vocab through the flows: the same answers, files for the whole vocabulary. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateTasksToFile } from '../../src/arc/generate-to-file.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { generateInputs } from '../../src/experiments/generate-inputs.js';
import { infer } from '../../src/experiments/infer.js';
import { checkpointInferOptions, inferEvaluate } from '../../src/experiments/infer-evaluate.js';
import { score } from '../../src/experiments/score.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { readSafetensors } from '../../src/models/index.js';
import { loadTokenizer, parseGridEncoder, promptVocabulary } from '../../src/prompts/index.js';

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-e2e-prune-'));
  const tasks = { ...startKnobs, generators: ['recolor-one', 'keep-color'], count: 12, seed: 1 };
  generateTasksToFile({ ...tasks, outputPath: file('tasks.json') });
});
afterAll(() => rmSync(folder, { recursive: true }));

const kind = 'output-from-examples-mini';
const model = { modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()', seed: 7 };

describe('--prune_vocab', () => {
  it.each([true, false])(
    'answers alike; each answer is at least as likely (constrained: %s)',
    async (constrained) => {
      const run = (pruneVocab: boolean) =>
        infer({
          ...model,
          pruneVocab,
          constrained,
          datasetPath: file('tasks.json'),
          outputPath: file(`answers-${pruneVocab}-${constrained}.json`),
          promptVersion: kind,
          predictionsPerTask: 2,
          maxNewTokens: 40,
        });
      const [whole, cut] = [await run(false), await run(true)];
      expect(cut.predictions.map(({ grid }) => grid)).toEqual(whole.predictions.map(({ grid }) => grid));
      expect(cut.predictions.some(({ grid }) => grid !== null)).toBe(true);
      for (const [i, { logProb, tokens }] of cut.predictions.entries()) {
        const before = whole.predictions[i]!;
        expect(tokens).toBe(before.tokens);
        // leaving out tokens can only make the others more likely, and this model expects few of them
        expect(logProb).toBeGreaterThan(before.logProb - 1e-4);
        expect(logProb).toBeLessThan(before.logProb + 0.05 * Math.max(1, tokens));
      }
    },
  );

  it('scores and draws', async () => {
    const options = { ...model, datasetPath: file('tasks.json') };
    const [whole, cut] = await Promise.all(
      [false, true].map(
        async (pruneVocab) => (await score({ ...options, promptVersion: kind, pruneVocab })).kinds[0]!,
      ),
    );
    expect(cut!.perToken).toBeGreaterThan(whole!.perToken);
    expect(cut!.perToken).toBeLessThan(whole!.perToken + 0.05);
    const drawn = await generateInputs({
      ...options,
      promptVersion: 'input-from-inputs-mini',
      n: 2,
      constrained: true,
      pruneVocab: true,
    });
    expect(drawn.valid).toBe(drawn.drawn);
  });

  it.each([true, false])(
    'trains, continues and is written for the whole vocabulary (LoRA: %s)',
    async (useLora) => {
      const outputDir = file(`run-${useLora}`);
      const run = (maxSteps: number) =>
        fineTune({
          ...model,
          trainDatasets: [[file('tasks.json'), kind]],
          valDataset: [[file('tasks.json'), kind]],
          outputDir,
          maxSteps,
          evalSteps: 2,
          batchSize: 4,
          learningRate: 1e-3,
          useLora,
          pruneVocab: true,
          workers: 0,
        });
      await run(2);
      const { checkpoint, steps } = await run(3);
      expect(steps).toBe(3);
      expect(JSON.parse(readFileSync(join(checkpoint, 'cfg.json'), 'utf8')).pruneVocab).toBe(true);
      // predictions with it are made as it was trained
      const { outputPath } = checkpointInferOptions({ checkpoint });
      expect(outputPath).toMatch(/_pruned.json$/);
      const { predictions } = await inferEvaluate({ checkpoint, promptVersion: kind, maxNewTokens: 40 });
      expect(predictions.length).toBeGreaterThan(0);
      // and may be made with the whole vocabulary
      await inferEvaluate({ checkpoint, promptVersion: kind, maxNewTokens: 40, pruneVocab: false });
      expect(existsSync(join(checkpoint, 'model.safetensors'))).toBe(!useLora);
      if (useLora) return;

      const base = readSafetensors(join(model.modelPath, 'model.safetensors')).get(
        'model.embed_tokens.weight',
      )!;
      const saved = readSafetensors(join(checkpoint, 'model.safetensors')).get('model.embed_tokens.weight')!;
      expect(saved.shape).toEqual(base.shape);
      const kept = promptVocabulary(loadTokenizer(model.modelPath), parseGridEncoder(model.gridEncoder));
      const [rows, width] = base.shape as [number, number];
      expect(kept.length).toBeLessThan(rows);
      let changed = 0;
      for (let id = 0; id < rows; id++) {
        const [was, is] = [base, saved].map(({ values }) => values.subarray(id * width, (id + 1) * width));
        if (!kept.includes(id)) expect(is).toEqual(was);
        else if (is!.some((value, i) => value !== was![i])) changed++;
      }
      expect(changed).toBeGreaterThan(10);
    },
  );
});
