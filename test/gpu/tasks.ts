/** @file Whole tasks: scores with shared prompts, a search, and tuning on a task with what follows it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Grid, Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { scoreAnswers } from '../../src/generation/scoring.js';
import { searchAnswers } from '../../src/generation/search/search.js';
import type { GenerationTokenizer } from '../../src/generation/vocabulary.js';
import { sessionFineTuneOnTaskOptions } from '../../src/options/training.js';
import {
  type ChatTokenizer,
  getPromptKind,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
} from '../../src/prompts/index.js';
import { writeTokenizer } from '../../src/prompts/train-tokenizer.js';
import { searchInput } from '../../src/session/search-input.js';
import { freshAdapter, TaskTuner } from '../../src/session/task-tuning.js';
import { initBackend } from '../../src/tensors/backend.js';
import { qwenDecoder } from '../bench/qwen.js';
import { row } from '../bench/report.js';
import { scoreOneByOne } from '../generation/one-by-one.js';
import { tinyDecoder, tinyTokenizer } from '../generation/tiny.js';
import type { Short } from './part.js';
import type { Settings } from './settings.js';

/** How far the log-probability of a token may be from that of a pass without a cache, in nats. */
const nats = { float32: 1e-4, float16: 5e-3, bfloat16: 3e-2 };

export async function scoring({ config, floatType, device }: Settings, short: Short): Promise<void> {
  const [prompt, answer, views] = device === 'cpu' ? [60, 12, 2] : [1250, 150, 8];
  const tokens = (length: number, ...name: (string | number)[]): number[] => {
    const rng = Rng.of(1, ...name);
    return Array.from({ length }, () => rng.int(0, config.vocabSize - 1));
  };
  const requests = Array.from({ length: views }, (_, view) => {
    const first = tokens(answer, 'answer', view);
    const others = Array.from({ length: 7 }, (_, i) => {
      const from = Math.floor((answer * (i + 1)) / 9);
      return [...first.slice(0, from), ...tokens(answer - from, 'other', view, i)];
    });
    return { prompt: tokens(prompt, 'prompt', view), answers: [first, ...others] };
  });
  const decoder = qwenDecoder(undefined, { config, floatType });
  const tokenizer = { stopIds: [] as number[] } as unknown as GenerationTokenizer;
  await scoreAnswers(decoder, tokenizer, requests.slice(0, 1));
  let fed = 0;
  const before = performance.now();
  const scores = await scoreAnswers(decoder, tokenizer, requests, {
    onProgress: (progress) => {
      fed = progress.tokens;
    },
  });
  const between = performance.now();
  const alone = requests.flatMap(({ prompt, answers }) =>
    answers.map((one) => ({ tokens: [...prompt, ...one], answerStart: prompt.length })),
  );
  const expected = await scoreOneByOne(decoder, alone);
  const [together, apart] = [between - before, performance.now() - between];
  const gap = Math.max(...scores.flat().map(({ logProb }, i) => Math.abs(logProb - expected[i]!))) / answer;
  row(`${views} views, 8 answers of ${answer} behind ${prompt}`, `${together.toFixed(0)} ms together`);
  row('one by one', `${apart.toFixed(0)} ms`, `${(apart / together).toFixed(1)} ×`);
  row('tokens fed, nats apart for each token', String(fed), gap.toExponential(1));
  if (!(gap < nats[floatType])) short(`scoring: ${gap.toExponential(1)} nats for each token apart`);
  decoder.dispose();
}

/** All answers above a threshold of a tiny model in float32, here and by tfjs' plain backend. */
export async function search({ device }: Settings, short: Short): Promise<void> {
  const threshold = 2e-3;
  const rng = Rng.of(5, 'search');
  const requests = Array.from({ length: 3 }, (_, i) => ({
    tokens: Array.from({ length: 5 + 20 * i }, () => rng.int(0, tinyTokenizer.vocabSize - 1)),
  }));
  const find = async (): Promise<Map<string, number>[]> => {
    const decoder = tinyDecoder(1);
    const found = await searchAnswers(decoder, tinyTokenizer, requests, { threshold, maxNewTokens: 4 });
    decoder.dispose();
    return found.map(
      ({ answers }) => new Map(answers.map(({ tokens, logProb }) => [tokens.join(), logProb])),
    );
  };
  const start = performance.now();
  const here = await find();
  const seconds = (performance.now() - start) / 1000;
  await initBackend('cpu');
  const there = await find();
  await initBackend('torch', { device });
  let count = 0;
  for (const [i, expected] of there.entries()) {
    for (const key of new Set([...expected.keys(), ...here[i]!.keys()])) {
      const [a, b] = [expected.get(key), here[i]!.get(key)];
      count++;
      // rounding decides about those on the threshold
      const isNear = Math.abs((a ?? b)! - Math.log(threshold)) < 1e-3;
      if (a !== undefined && b !== undefined ? Math.abs(a - b) > 1e-3 : !isNear) {
        short(`search: answer ${key} to prompt ${i} has ${b} here and ${a} in plain`);
      }
    }
  }
  if (count === 0) short('search: no answer was found, so that nothing was compared');
  row(`${count} answers to ${requests.length} prompts`, `${seconds.toFixed(2)} s`);
}

/** What the first of 2025 took for a task on one H100, tuning, search and scores together, with a model of 4B. */
const [TASK_SECONDS, TASK_STEPS] = [107, 128];

export async function taskTuning({ config, floatType, device }: Settings, short: Short): Promise<void> {
  const steps = device === 'cpu' ? 2 : 24;
  const size = device === 'cpu' ? 3 : 10;
  const prompts = new PromptBuilder({
    tokenizer: gridTokenizer(),
    encoder: parseGridEncoder('MinimalGridEncoder()'),
    kind: getPromptKind('output-from-examples-mini'),
  });
  const options = sessionFineTuneOnTaskOptions.check({
    maxSteps: steps,
    lossOn: 'every-answer',
    promptVersion: prompts.kind.name,
  });
  const { task, solution } = randomTask(size);
  const decoder = qwenDecoder(undefined, { config, floatType });
  const start = await freshAdapter(decoder, options);
  const tuner = new TaskTuner(decoder, prompts, options);
  const reports: number[] = [];
  const tuning = await tuner.tune(start, ['task', task], {
    onStep: (report) => reports.push(report.seconds),
  });
  if (tuning.steps !== steps) short(`task: ${tuning.steps} steps of ${steps}: ${tuning.stopped}`);
  // the first step touches memory that the others find
  const step = reports.slice(1).reduce((sum, seconds) => sum + seconds, 0) / (reports.length - 1);
  const tuned = tuning.seconds - tuning.stepSeconds + TASK_STEPS * step;
  row(`${steps} steps of a sample`, `${(1000 * step).toFixed(0)} ms each`, `${tuned.toFixed(1)} s for 128`);
  const began = performance.now();
  const asked = { taskId: 'task', task, testIndex: 0, known: [solution] };
  const found = await searchInput(decoder, prompts, asked, {
    ...{ views: 8, seed: 0, threshold: 0.1, batchSize: 32, maxNewTokens: 256, constrained: true },
    ...{ maxSeqLen: 4096, answerTokens: () => 256, limits: {}, seconds: 60, onProgress: () => {} },
    ...{ geometricAugmentation: true, colorAugmentation: true, orderAugmentation: true },
  });
  const searched = (performance.now() - began) / 1000;
  row('search and scores of 8 views', `${searched.toFixed(1)} s`, `${found?.scored.length ?? 0} scored`);
  if (!found || found.scored.length === 0) short('task: the solution that was proposed has no score');
  const all = tuned + searched;
  row('a task', `${all.toFixed(1)} s`, `the goal is below ${TASK_SECONDS} s`);
  if (device !== 'cpu' && !(all < TASK_SECONDS))
    short(`task: ${all.toFixed(0)} s, the goal is ${TASK_SECONDS}`);
  decoder.dispose();
}

/** Four samples and a test input of random cells. */
function randomTask(size: number): { task: Task; solution: Grid } {
  const rng = Rng.of(0, 'gpu task');
  const grid = (): Grid =>
    Array.from({ length: size }, () => Array.from({ length: size }, () => rng.int(0, 9)));
  const sample = () => ({ input: grid(), output: grid() });
  return {
    task: { train: [sample(), sample(), sample(), sample()], test: [{ input: grid() }] },
    solution: grid(),
  };
}

function gridTokenizer(): ChatTokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-gpu-'));
  try {
    writeTokenizer(folder);
    return loadTokenizer(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
