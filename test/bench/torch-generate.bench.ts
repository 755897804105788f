/**
 * Generation with a model of Qwen2-0.5B's shape (or ARCLAB_SHAPE=Qwen3-0.6B) in float32 on the CPU: 8 prompts of 256 tokens and 64 new tokens
 * each, greedy, ours on libtorch against transformers' `generate` on the same torch; then grids of 10 × 10 by our
 * engine with `--constrained --prune_vocab`. Needs ARCLAB_PYTHON.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GenerationProgress, generate } from '../../src/generation/engine.js';
import { KvCache } from '../../src/models/kv-cache.js';
import type { TextGrammar } from '../../src/prompts/grammar.js';
import {
  type ChatTokenizer,
  loadTokenizer,
  parseGridEncoder,
  promptVocabulary,
} from '../../src/prompts/index.js';
import { writeTokenizer } from '../../src/prompts/train-tokenizer.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { askPython, askSide, peakBytes } from './processes.js';
import { qwenConfig, qwenDecoder, randomTokens, shapeName } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  /** Seconds to read the prompts and choose the first token of each answer. */
  prefill: number;
  /** Seconds of a step that adds a token to every answer. */
  decode: number;
  peak: number;
}

interface GridMeasurement {
  prefill: number;
  /** From the first choices to the end of all answers. */
  seconds: number;
  steps: number;
  /** Tokens of answers in that time, and those of them that the grammar forced. */
  tokens: number;
  forced: number;
  rows: number;
}

const [SEQUENCES, PROMPT, NEW] = [8, 256, 64];

/** Rows that embeddings and head keep: with Qwen2's own tokenizer and this encoder there are about as many. */
const KEPT = 1900;

/** Our side, in a process of its own. */
export async function measure(what: string): Promise<Measurement | GridMeasurement> {
  await initBackend('torch');
  return what === 'grids' ? measureGrids() : measureSteps();
}

/** Seconds of the prompts, and of each step after them. */
function measureSteps(): Measurement {
  const decoder = qwenDecoder();
  const prompts = Array.from({ length: SEQUENCES }, (_, i) => randomTokens(PROMPT, `prompt ${i}`));
  const slots = Int32Array.from({ length: SEQUENCES }, (_, slot) => slot);
  const cache = new KvCache(qwenConfig, { slots: SEQUENCES, maxLength: PROMPT + NEW });
  const choose = (hidden: tf.Tensor2D): Int32Array =>
    tf.argMax(decoder.logits(hidden), -1).dataSync<'int32'>() as Int32Array;
  const read = (): Int32Array =>
    tf.tidy(() => {
      const hidden = decoder.forwardCached(
        Int32Array.from(prompts.flat()),
        Int32Array.from(prompts.flatMap((tokens, slot) => tokens.map(() => slot))),
        Int32Array.from(prompts.flatMap((tokens) => tokens.map((_, position) => position))),
        cache,
      );
      const last = tf.tensor1d(
        prompts.map((_, i) => (i + 1) * PROMPT - 1),
        'int32',
      );
      return choose(tf.gather(hidden, last) as tf.Tensor2D);
    });
  read();
  let start = performance.now();
  let tokens = read();
  const prefill = (performance.now() - start) / 1000;
  start = performance.now();
  for (let i = 0; i < NEW; i++) {
    const positions = new Int32Array(SEQUENCES).fill(PROMPT + i);
    tokens = tf.tidy(() => choose(decoder.forwardCached(tokens, slots, positions, cache)));
  }
  return { prefill, decode: (performance.now() - start) / 1000 / NEW, peak: peakBytes() };
}

/** A tokenizer that cuts grids as Qwen2's does: digits and the signs between them are tokens of their own. */
function gridTokenizer(): ChatTokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-bench-'));
  try {
    writeTokenizer(folder);
    return loadTokenizer(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Grids of one shape from their first cell on: a random model would choose shapes that no task has, and the first
 * step is to choose, not to force.
 */
function gridsOfShape(grammar: TextGrammar, height: number, width: number): TextGrammar {
  let initial = grammar.initial;
  for (const character of `\`\`\`grid shape: ${height}x${width}\n1 `)
    initial = grammar.step(initial, character)!;
  return { ...grammar, initial };
}

/** The whole engine: prompts, then constrained answers; what the prompts take is measured by answers of one token. */
async function measureGrids(): Promise<GridMeasurement> {
  const tokenizer = gridTokenizer();
  const encoder = parseGridEncoder('GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))');
  const vocabulary = new Set(promptVocabulary(tokenizer, encoder));
  for (let id = 0; vocabulary.size < KEPT; id++) vocabulary.add(id);
  const kept = Int32Array.from(vocabulary).sort();
  const decoder = qwenDecoder(kept);
  const grammar = gridsOfShape(encoder.grammar, 10, 10);
  const requests = Array.from({ length: SEQUENCES }, (_, i) => ({
    tokens: randomTokens(PROMPT, `prompt ${i}`, kept),
    samples: 1,
    stream: String(i),
    grammar,
  }));
  const run = async (maxNewTokens: number): Promise<GenerationProgress> => {
    let last: GenerationProgress | undefined;
    await generate(decoder, tokenizer, requests, {
      temperature: 0,
      seed: 0,
      maxNewTokens,
      batchSize: SEQUENCES,
      onProgress: (progress) => {
        last = progress;
      },
    });
    return last!;
  };
  await run(1);
  const short = await run(1);
  const whole = await run(200);
  return {
    prefill: short.seconds,
    seconds: whole.seconds - short.seconds,
    steps: whole.steps - short.steps,
    tokens: whole.tokens - short.tokens,
    forced: whole.forcedTokens - short.forcedTokens,
    rows: kept.length,
  };
}

export async function run(): Promise<void> {
  console.log(
    `generation, ${shapeName} shape, float32 on the CPU: ${SEQUENCES} prompts of ${PROMPT}, ${NEW} new tokens`,
  );
  const ours = askSide<Measurement>('torch-generate', 'steps');
  const grids = askSide<GridMeasurement>('torch-generate', 'grids');
  const theirs = askPython<Measurement>('generate', String(SEQUENCES), String(PROMPT), String(NEW));
  for (const [side, { prefill, decode }] of [
    ['transformers', theirs],
    ['arclab', ours],
  ] as const) {
    row(
      side,
      `prompts ${prefill.toFixed(2)} s`,
      `step ${(1000 * decode).toFixed(0)} ms`,
      `${(SEQUENCES / decode).toFixed(1)} tokens/s`,
    );
  }
  const speed = grids.tokens / grids.seconds;
  row(
    `arclab --constrained --prune_vocab (${grids.rows} tokens)`,
    `prompts ${grids.prefill.toFixed(2)} s`,
    `step ${((1000 * grids.seconds) / grids.steps).toFixed(0)} ms`,
    `${speed.toFixed(1)} tokens/s`,
  );
  console.log(
    `grids of 10 × 10: ${grids.tokens} tokens, ${grids.forced} of them forced, in ${grids.steps} steps ` +
      `and ${grids.seconds.toFixed(1)} s; their numbers count from the second token of each answer`,
  );
  row(
    'ratio',
    `${(theirs.prefill / ours.prefill).toFixed(2)} ×`,
    `${(theirs.decode / ours.decode).toFixed(2)} ×`,
  );
  row(
    'ratio with --constrained --prune_vocab',
    `${(theirs.prefill / grids.prefill).toFixed(2)} ×`,
    `${((speed * theirs.decode) / SEQUENCES).toFixed(2)} ×`,
  );
}
