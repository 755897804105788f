/**
 * Scores of 8 candidates under views of a task: each view's prompt read once, against one prompt for every candidate,
 * which is what `score` did before. On the prompts of `npm start` with its base model (embedded backend, 16 views), and
 * on prompts of 1,250 tokens with answers of 150 at the shape of Qwen2-0.5B (torch; 2 views, because one by one 16 would
 * take half an hour). Candidates differ from the first one somewhere and then go on differently or as before.
 */
import { fileURLToPath } from 'node:url';
import { generateTasks } from '../../src/arc/generate.js';
import type { Grid } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { startGenerators, startKnobs } from '../../src/experiments/start-levels.js';
import { type ScoringRequest, scoreAnswers } from '../../src/generation/scoring.js';
import type { GenerationTokenizer } from '../../src/generation/vocabulary.js';
import type { Decoder } from '../../src/models/decoder.js';
import { getPromptKind } from '../../src/prompts/index.js';
import { planScores } from '../../src/session/candidate-scores.js';
import { openPrompts } from '../../src/session/prompts.js';
import { initBackend } from '../../src/tensors/backend.js';
import { scoreOneByOne } from '../generation/one-by-one.js';
import { askSide } from './processes.js';
import { qwenDecoder, randomTokens } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  /** Tokens fed and seconds, one by one and together. */
  tokens: [number, number];
  seconds: [number, number];
  /** The largest difference between two scores of the same answer, in nats. */
  difference: number;
}

const CANDIDATES = 8;
const LONG = { prompt: 1250, answer: 150, views: 2 };

export async function measure(what: string): Promise<Measurement> {
  return what === 'start' ? measureStart() : measureLong();
}

/** Four tasks of `npm start` under 16 views. */
async function measureStart(): Promise<Measurement> {
  await initBackend('wasm');
  const modelPath = fileURLToPath(new URL('../assets/base-model', import.meta.url));
  const session = await openPrompts({ modelPath, gridEncoder: 'MinimalGridEncoder()' });
  const builder = session.builder(getPromptKind('output-from-examples-mini'));
  const tasks = generateTasks({ ...startKnobs, generators: [...startGenerators], count: 4, seed: 1 });
  const sets = [...tasks].map(([taskId, [task]]) => {
    const rng = Rng.of(1, taskId);
    const solution = task!.test[0]!.output!;
    const changed = (): Grid => {
      const [i, j] = [rng.int(0, solution.length - 1), rng.int(0, solution[0]!.length - 1)];
      return solution.map((cells, r) =>
        cells.map((cell, c) => (r === i && c === j ? (cell + 1) % 10 : cell)),
      );
    };
    const grids = [solution, ...Array.from({ length: CANDIDATES - 1 }, changed)];
    return { taskId, testIndex: 0, task: task!, grids };
  });
  const { requests } = planScores(sets, builder, { augmentations: 16, seed: 0, maxSeqLen: 4096 });
  return compare(await session.loadDecoder(), session.tokenizer, requests);
}

async function measureLong(): Promise<Measurement> {
  await initBackend('torch');
  const requests = Array.from({ length: LONG.views }, (_, view) => {
    const first = randomTokens(LONG.answer, `answer ${view}`);
    const rng = Rng.of(2, view);
    const others = Array.from({ length: CANDIDATES - 1 }, (_, i) => {
      const from = rng.int(0, LONG.answer - 1);
      return [...first.slice(0, from), ...randomTokens(LONG.answer - from, `other ${view} ${i}`)];
    });
    return { prompt: randomTokens(LONG.prompt, `prompt ${view}`), answers: [first, ...others] };
  });
  const tokenizer = { stopIds: [] as number[] } as unknown as GenerationTokenizer;
  return compare(qwenDecoder(), tokenizer, requests);
}

async function compare(
  decoder: Decoder,
  tokenizer: GenerationTokenizer,
  requests: readonly ScoringRequest[],
): Promise<Measurement> {
  const { stopIds } = tokenizer;
  const alone = requests.flatMap(({ prompt, answers }) =>
    answers.map((answer) => ({ tokens: [...prompt, ...answer], answerStart: prompt.length })),
  );
  // weights are packed and rotary tables made at the first call
  await scoreAnswers(decoder, tokenizer, [{ prompt: requests[0]!.prompt.slice(0, 64), answers: [[1, 2]] }]);
  const before = performance.now();
  const expected = await scoreOneByOne(decoder, alone, { stopIds });
  const between = performance.now();
  let fed = 0;
  const scores = await scoreAnswers(decoder, tokenizer, requests, {
    onProgress: ({ tokens }) => {
      fed = tokens;
    },
  });
  const after = performance.now();
  return {
    tokens: [alone.reduce((sum, { tokens }) => sum + tokens.length, 0), fed],
    seconds: [(between - before) / 1000, (after - between) / 1000],
    difference: Math.max(...scores.flat().map(({ logProb }, i) => Math.abs(logProb - expected[i]!))),
  };
}

export async function run(): Promise<void> {
  row('scores of 8 candidates', 'one by one', 'together', 'ratio');
  for (const [name, what] of [
    ['prompts of npm start, 4 tasks × 16 views', 'start'],
    [`Qwen2-0.5B's shape, ${LONG.prompt} + ${LONG.answer} tokens, ${LONG.views} views`, 'long'],
  ] as const) {
    const { tokens, seconds, difference } = askSide<Measurement>('scoring', what);
    const ratio = ([a, b]: [number, number]) => `${(a / b).toFixed(1)}x`;
    row(name, '', '', `±${difference.toExponential(1)}`);
    row('  tokens fed', String(tokens[0]), String(tokens[1]), ratio(tokens));
    row('  seconds', seconds[0].toFixed(1), seconds[1].toFixed(1), ratio(seconds));
  }
}
