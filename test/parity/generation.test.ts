/** Greedy answers and where they end, compared with transformers' `generate` (make_generation_fixtures.py). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiskFolder } from '../../src/common/disk-folder.js';
import { generate } from '../../src/generation/engine.js';
import { loadDecoder } from '../../src/models/load.js';
import { stopTokensOf } from '../../src/prompts/stop-tokens.js';
import { awaitedBackends } from './backends.js';
import { fixture, meta, useBackend } from './fixtures.js';

interface Case {
  family: string;
  config_eos_token_id: unknown;
  generation_config: object | null;
  eos_token_ids: number[];
  answers: { tokens: number[]; log_prob: number; finished: boolean }[];
}
const { cases } = JSON.parse(readFileSync(fixture('generation.json'), 'utf8')) as { cases: Case[] };
const names = cases.map((item): [string, Case] => {
  const { family, config_eos_token_id: config, generation_config: generation } = item;
  return [`${family}, config.json ${JSON.stringify(config)}, ${JSON.stringify(generation)}`, item];
});

describe('which tokens end an answer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-stop-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(names)('%s', (_, { config_eos_token_id, generation_config, eos_token_ids }) => {
    const model = mkdtempSync(join(folder, 'model-'));
    writeFileSync(join(model, 'config.json'), JSON.stringify({ eos_token_id: config_eos_token_id }));
    if (generation_config !== null)
      writeFileSync(join(model, 'generation_config.json'), JSON.stringify(generation_config));
    expect(stopTokensOf(new DiskFolder(model))).toEqual(eos_token_ids);
  });
});

describe.each(awaitedBackends)('on backend %s', (backend) => {
  beforeAll(() => useBackend(backend));

  // where tokens end an answer is decided on the host: on a driver in software, one case of some kinds of attention
  const few = ['llama', 'gemma2', 'phi3-window', 'qwen3'];
  const isFirst = (item: Case) => cases.find(({ family }) => family === item.family) === item;
  const shown =
    backend === 'webgpu' ? names.filter(([, item]) => few.includes(item.family) && isFirst(item)) : names;

  it.each(shown)('answers as transformers: %s', async (_, { family, eos_token_ids: stopIds, answers }) => {
    const decoder = await loadDecoder(fixture(family));
    const tokenizer = { vocabSize: 96, stopIds, encode: () => [], decode: () => '', tokenText: () => '' };
    const requests = meta.sequences.map((tokens, i) => ({ tokens, samples: 1, stream: `${i}` }));
    const options = { maxNewTokens: 24, temperature: 0, seed: 1 };
    const results = await generate(decoder, tokenizer, requests, options);
    for (const [i, { tokens, log_prob: logProb, finished }] of answers.entries()) {
      expect(results[i]![0]).toEqual({ tokens, text: '', logProb: expect.closeTo(logProb, 3), finished });
    }
    decoder.dispose();
  });
});
