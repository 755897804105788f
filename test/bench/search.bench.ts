/**
 * Search against sampling with the same model: is the solution among the candidates at least as often, and for how many
 * forward tokens. The model is the small base after a short training on the rules of `npm start`, so that some tasks
 * stay hard; the tasks are others of the same rules. Then what guesses save of the forward passes.
 * ARCLAB_BENCH_MODEL=<checkpoint> takes the place of the training.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveDataset } from '../../src/arc/dataset.js';
import { generateTasks } from '../../src/arc/generate.js';
import { gridKey } from '../../src/arc/grid.js';
import type { Dataset } from '../../src/arc/types.js';
import { formatDifference, pairedDifference } from '../../src/evaluation/intervals.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { baseModelFolder, startGenerators, startKnobs } from '../../src/experiments/start.js';
import { openModel } from '../../src/session/index.js';
import { row } from './report.js';

const [TRAIN_TASKS, STEPS, TASKS, SAMPLES] = [1600, 250, 64, 32];
const promptVersion = 'output-from-examples-even';
const gridEncoder = 'MinimalGridEncoder()';
const backend = process.env.ARCLAB_BACKEND || 'wasm';

/** What one side has found, and what was fed for it. */
interface Side {
  /** For each task, 1 where the solution is among its candidates. */
  readonly hits: readonly number[];
  /** Tokens of prompts, each once, and of answers. */
  readonly prompts: number;
  readonly answers: number;
  readonly steps: number;
  readonly seconds: number;
}

function hitsOf(predictions: readonly Prediction[], tasks: Dataset): number[] {
  const found = new Set(
    predictions.flatMap(({ taskId, grid }) => (grid ? [`${taskId} ${gridKey(grid)}`] : [])),
  );
  return [...tasks].map(([id, [task]]) => Number(found.has(`${id} ${gridKey(task!.test[0]!.output!)}`)));
}

/** A short training, as that of `npm start`. @returns the checkpoint */
async function train(folder: string): Promise<string> {
  const path = join(folder, 'train.json');
  const generators = [...startGenerators];
  saveDataset(path, generateTasks({ ...startKnobs, generators, count: TRAIN_TASKS, seed: 1 }));
  const { checkpoint } = await fineTune({
    ...{ modelPath: baseModelFolder(), gridEncoder, backend, seed: 1 },
    trainDatasets: [[path, promptVersion]],
    outputDir: join(folder, 'model'),
    ...{
      useLora: false,
      lossOn: 'every-answer',
      colorAugmentation: false,
      maxSteps: STEPS,
      saveSteps: STEPS,
    },
    ...{ maxSeqLen: 512, maxTokensPerBatch: 4096, batchSize: 8, learningRate: 4e-3, adamBeta2: 0.98 },
  });
  return checkpoint;
}

export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-bench-'));
  try {
    const checkpoint = process.env.ARCLAB_BENCH_MODEL || (await train(folder));
    // other tasks than those of the training, from another seed
    const tasks = generateTasks({ ...startKnobs, generators: [...startGenerators], count: TASKS, seed: 2 });
    using model = await openModel({ modelPath: checkpoint, gridEncoder, backend });
    const asked = { promptVersion, maxNewTokens: 40, batchSize: 32 };

    const sample = async (): Promise<Side> => {
      const { predictions, progress } = await model.infer(tasks, {
        ...{ ...asked, predictionsPerTask: SAMPLES, temperature: 1 },
      });
      const { promptTokens, reusedTokens, tokens, steps, seconds } = progress!;
      return {
        hits: hitsOf(predictions, tasks),
        prompts: promptTokens + reusedTokens,
        answers: tokens,
        steps,
        seconds,
      };
    };
    const search = async (options: object): Promise<Side & { guessed: number; accepted: number }> => {
      const { predictions, progress } = await model.search(tasks, { ...asked, ...options });
      const { promptTokens, reusedTokens, tokens, steps, seconds, guessedTokens, acceptedTokens } = progress!;
      return {
        ...{
          hits: hitsOf(predictions, tasks),
          prompts: promptTokens + reusedTokens,
          answers: tokens,
          steps,
          seconds,
        },
        ...{ guessed: guessedTokens, accepted: acceptedTokens },
      };
    };

    console.log(`search against ${SAMPLES} sampled predictions: ${TASKS} tasks of the rules of npm start`);
    row('', 'found', 'prompt tokens', 'answer tokens', 'passes', 'seconds');
    const show = (name: string, side: Side) => {
      const found = (100 * side.hits.reduce((sum, hit) => sum + hit, 0)) / TASKS;
      const counts = [side.prompts, side.answers, side.steps].map((count) => count.toLocaleString('en'));
      row(name, `${found.toFixed(1)} %`, ...counts, side.seconds.toFixed(1));
    };
    const sampled = await sample();
    show(`${SAMPLES} samples`, sampled);
    for (const [views, threshold] of [
      [8, 0.1],
      [8, 0.02],
      [8, 0.005],
      [16, 0.1],
    ] as const) {
      const side = await search({ views, threshold });
      show(`search, ${views} views, threshold ${threshold}`, side);
      const tokens = (one: Side) => one.prompts + one.answers;
      row(
        '  search − samples, ratio of tokens',
        formatDifference(pairedDifference(side.hits, sampled.hits)),
        `${(side.prompts / sampled.prompts).toFixed(2)} ×`,
        `${(side.answers / sampled.answers).toFixed(2)} ×`,
        `${(tokens(side) / tokens(sampled)).toFixed(2)} × both`,
      );
      const plain = await search({ views, threshold, guess: false });
      row(
        '  without guesses',
        `${side.accepted} of ${side.guessed} right`,
        '',
        plain.answers.toLocaleString('en'),
        plain.steps.toLocaleString('en'),
        plain.seconds.toFixed(1),
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
