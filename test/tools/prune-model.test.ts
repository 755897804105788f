/** Models with a part of their vocabulary: the same tokens and logits, in a folder that transformers loads. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Grid } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import {
  adapterState,
  addAdapter,
  type Decoder,
  initModel,
  loadDecoder,
  packSequences,
  readAdapter,
  readSafetensors,
  writeAdapter,
} from '../../src/models/index.js';
import { moveAdapter } from '../../src/models/move-adapter.js';
import { getPromptKind, loadTokenizer, PromptBuilder, parseGridEncoder } from '../../src/prompts/index.js';
import { pruneModel } from '../../src/tools/prune-model.js';
import { useBackend } from '../parity/fixtures.js';
import { programUnderTest } from '../prerequisites/index.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-prune-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const tokenizers = fileURLToPath(new URL('../prompts/fixtures', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: parts of a file that are changed at will
type Json = Record<string, any>;
const read = (path: string): Json => JSON.parse(readFileSync(path, 'utf8'));

const floats = [
  ['config.json', '"attention_dropout": 0.0'],
  ['generation_config.json', '"top_p": 1.0'],
] as const;

/** A small model with a Qwen2 tokenizer in which `user` and `assistant` are one token each, as in the real one. */
function makeModel(name: string): string {
  const folder = at(name);
  initModel({
    outputDir: folder,
    hiddenSize: 32,
    numLayers: 2,
    vocabSize: 440,
    tieWordEmbeddings: name === 'tied',
  });
  cpSync(join(tokenizers, 'qwen'), folder, { recursive: true });
  const json = read(join(folder, 'tokenizer.json'));
  let next = 400;
  const merges: [string, string][] = [];
  for (const word of ['user', 'assistant']) {
    for (let length = 2; length <= word.length; length++) {
      const part = word.slice(0, length);
      json.model.vocab[part] ??= next++;
      merges.push([part.slice(0, -1), part.slice(-1)]);
    }
  }
  // before those that would make other parts of them
  const names = new Set(merges.map(String));
  json.model.merges = [...merges, ...json.model.merges.filter((pair: string[]) => !names.has(String(pair)))];
  for (const token of json.added_tokens) token.id = next++;
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
  const [endOfText, endOfTurn] = ['<|endoftext|>', '<|im_end|>'].map(
    (name) => json.added_tokens.find((token: Json) => token.content === name).id,
  );
  const ids = { bos_token_id: null, eos_token_id: [endOfTurn, endOfText], pad_token_id: endOfText };
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ ...ids, temperature: 0.7 }));
  const config = read(join(folder, 'config.json'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...ids, eos_token_id: endOfTurn }));
  // as transformers writes them: it refuses an integer where it wants a float
  for (const [file, setting] of floats) {
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), text.replace('{', `{${setting}, `));
  }
  return folder;
}

const bare = 'output-from-examples-bare';
const gridEncoder = 'MinimalGridEncoder()';
const rng = Rng.of(1, 'prune');
const grid = (): Grid =>
  Array.from({ length: rng.int(1, 9) }, () => 0).map((_, __, rows) =>
    Array.from({ length: rows.length }, () => rng.int(0, 9)),
  );
const tasks = Array.from({ length: 5 }, (_, i) => ({
  train: Array.from({ length: i + 1 }, () => ({ input: grid(), output: grid() })),
  test: [{ input: grid(), output: grid() }],
}));
const promptsOf = (folder: string, kind = bare, encoder = gridEncoder) =>
  new PromptBuilder({
    tokenizer: loadTokenizer(folder),
    encoder: parseGridEncoder(encoder),
    kind: getPromptKind(kind),
  });

describe('prune-model', () => {
  beforeAll(async () => {
    await useBackend('cpu');
    for (const name of ['tied', 'untied']) {
      makeModel(name);
      const options = { modelPath: at(name), gridEncoder, backend: 'cpu' } as const;
      const { kept } = await pruneModel({ ...options, outputDir: at(`${name}-bare`), promptVersion: [bare] });
      expect(kept.map(({ token }) => token)).toEqual([
        ...['Ċ', ...'0123456789'].sort((a, b) => tokenId(name, a) - tokenId(name, b)),
        ...['user', 'assistant', '<|endoftext|>', '<|im_start|>', '<|im_end|>'],
      ]);
    }
    await pruneModel({
      modelPath: at('tied'),
      outputDir: at('tied-all'),
      gridEncoder: encoders.all,
      backend: 'cpu',
    });
  });
  const encoders = { bare: gridEncoder, all: 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))' };
  const tokenId = (name: string, token: string): number =>
    read(join(at(name), 'tokenizer.json')).model.vocab[token];

  it.each(['tied', 'untied'])('keeps 16 tokens for bare digits, and their logits: %s', async (name) => {
    const [whole, cut] = [at(name), at(`${name}-bare`)];
    const { kept } = read(join(cut, 'pruned_vocabulary.json'));
    expect(kept).toHaveLength(16);
    const [before, after] = [await loadDecoder(whole), await loadDecoder(cut)];
    expect(after.embedTokens.weight.shape).toEqual([16, 32]);
    expect(after.config.tieWordEmbeddings).toBe(name === 'tied');
    for (const task of tasks) {
      const tokens = [whole, cut].map((folder) => promptsOf(folder).training(task, 0).tokens);
      expect(tokens[1]!.map((id) => kept[id].id)).toEqual(tokens[0]);
      const [expected, found] = [before, after].map((decoder, i) =>
        decoder.logits(decoder.forward(packSequences([tokens[i]!]))).arraySync(),
      );
      for (const [row, logits] of found!.entries()) {
        for (const [id, value] of logits.entries())
          expect(value).toBeCloseTo(expected![row]![kept[id].id]!, 5);
      }
    }
    before.dispose();
    after.dispose();
  });

  it('keeps what words need for all prompt kinds', () => {
    for (const kind of ['output-from-examples-v1', 'input-from-inputs-v0', bare]) {
      const { kept } = read(join(at('tied-all'), 'pruned_vocabulary.json'));
      for (const task of tasks) {
        const tokens = ['tied', 'tied-all'].map(
          (name) => promptsOf(at(name), kind, encoders.all).training(task, 0).tokens,
        );
        expect(tokens[1]!.map((id) => kept[id].id)).toEqual(tokens[0]);
      }
    }
  });

  it('names the same tokens in its configurations', () => {
    const cut = at('untied-bare');
    const { kept } = read(join(cut, 'pruned_vocabulary.json'));
    const nameOf = (id: number) => kept[id].token;
    const config = read(join(cut, 'config.json'));
    expect([config.vocab_size, nameOf(config.eos_token_id), nameOf(config.pad_token_id)]).toEqual([
      16,
      '<|im_end|>',
      '<|endoftext|>',
    ]);
    const generation = read(join(cut, 'generation_config.json'));
    expect(generation.eos_token_id.map(nameOf)).toEqual(['<|im_end|>', '<|endoftext|>']);
    expect(generation.temperature).toBe(0.7);
    expect(loadTokenizer(cut).stopIds.map(nameOf)).toEqual(['<|im_end|>', '<|endoftext|>']);
    expect(existsSync(join(cut, 'chat_template.jinja'))).toBe(false);
  });

  it('spells the numbers of its configurations as they were', () => {
    for (const folder of ['tied-bare', 'untied-bare', 'tied-all']) {
      for (const [file, setting] of floats)
        expect(readFileSync(join(at(folder), file), 'utf8')).toContain(`  ${setting},`);
    }
  });

  it('refuses words that were left out, a folder in use and an unknown kind', async () => {
    const words = promptsOf(at('tied-bare'), 'output-from-examples-even');
    expect(() => words.inference(tasks[0]!, 0)).toThrow(
      /^the tokenizer cannot write ".*"; a pruned model takes/,
    );
    const options = { modelPath: at('tied'), gridEncoder, backend: 'cpu' } as const;
    await expect(pruneModel({ ...options, outputDir: at('tied-bare') })).rejects.toThrow(/not empty/);
    const unknown = pruneModel({ ...options, outputDir: at('none'), promptVersion: ['bare'] });
    await expect(unknown).rejects.toThrow(/Unknown prompt kind "bare"/);
    expect(existsSync(at('none'))).toBe(false);
  });

  describe.each(['tied', 'untied'])('an adapter on tokens, of the %s model', (name) => {
    const [whole, cut] = [at(name), at(`${name}-bare`)];
    const made = at(`${name}-adapter`);
    const load = async (folder: string, adapterPath: string) => {
      const decoder = await loadDecoder(folder, { adapterPath });
      onTestFinished(() => decoder.dispose());
      return decoder;
    };

    beforeAll(async () => {
      await useBackend('cpu');
      const decoder = await loadDecoder(cut);
      const lora = {
        rank: 2,
        alpha: 4,
        dropout: 0,
        useRslora: false,
        useDora: false,
        init: 'default' as const,
      };
      const targetModules = ['q_proj', 'embed_tokens', 'lm_head'];
      await addAdapter(decoder, { ...lora, targetModules }, Rng.of(3, 'lora'));
      const state = await adapterState(decoder);
      const draw = Rng.of(4, 'adapter');
      for (const { a, b } of state.modules.values()) {
        for (const { values } of [a, b]) for (const i of values.keys()) values[i] = draw.normal(0, 0.3);
      }
      writeAdapter(made, state, decoder.adapterBase());
      decoder.dispose();
    });

    it('goes to the whole model by the names of tokens, and back', async () => {
      const there = at(`${name}-adapter-there`);
      const back = at(`${name}-adapter-back`);
      const result = await moveAdapter({
        adapterPath: made,
        modelPath: cut,
        toModelPath: whole,
        outputDir: there,
      });
      expect(result.tokensInCommon).toBe(16);
      await moveAdapter({ adapterPath: there, modelPath: whole, toModelPath: cut, outputDir: back });
      const tensors = (folder: string) => readSafetensors(join(folder, 'adapter_model.safetensors'));
      expect(tensors(back)).toEqual(tensors(made));

      const { kept } = read(join(cut, 'pruned_vocabulary.json'));
      const tokens = promptsOf(cut).training(tasks[1]!, 0).tokens;
      const [small, large] = [await load(cut, made), await load(whole, there)];
      const rows = (decoder: Decoder, ids: number[]) =>
        decoder.logits(decoder.forward(packSequences([ids]))).arraySync();
      const found = rows(small, tokens);
      const expected = rows(
        large,
        tokens.map((id) => kept[id].id),
      );
      for (const [row, logits] of found.entries()) {
        for (const [id, value] of logits.entries())
          expect(value).toBeCloseTo(expected[row]![kept[id].id]!, 4);
      }
      // a token that the pruned model lacks is what it is in the base
      const base = await loadDecoder(whole);
      onTestFinished(() => base.dispose());
      const other = tokenId(name, 'x');
      const table = (decoder: Decoder) => decoder.embedTokens.weight.dense().arraySync()[other];
      expect(table(large)).toEqual(table(base));
    });

    it('is refused where it was begun with a part of the head of all tokens', async () => {
      const decoder = await loadDecoder(cut);
      onTestFinished(() => decoder.dispose());
      const state = readAdapter(made, decoder.adapterBase());
      const begun = at(`${name}-pissa`);
      writeAdapter(begun, { ...state, pissaBase: true }, decoder.adapterBase());
      const moved = at(`${name}-pissa-moved`);
      const moving = moveAdapter({
        adapterPath: begun,
        modelPath: cut,
        toModelPath: whole,
        outputDir: moved,
      });
      await expect(moving).rejects.toThrow(
        /init_lora_weights "pissa", which changes lm_head .* convert it with PEFT/,
      );
      expect(existsSync(moved)).toBe(false);
    });

    it('is refused where the models have no token in common, or the folder is in use', async () => {
      const options = { adapterPath: made, modelPath: cut, toModelPath: whole };
      await expect(moveAdapter({ ...options, outputDir: made })).rejects.toThrow(/not empty/);
      const wrong = moveAdapter({ ...options, modelPath: whole, outputDir: at(`${name}-wrong`) });
      await expect(wrong).rejects.toThrow(/does not fit the base model/);
      expect(existsSync(at(`${name}-wrong`))).toBe(false);
    });
  });

  const python = programUnderTest('python with peft');
  it.skipIf(python === undefined)(
    'is what transformers loads',
    () => {
      const pairs = ['tied', 'untied'].map((name) => [
        at(name),
        at(`${name}-bare`),
        tasks.map((task) => promptsOf(at(name)).text(task, 0)),
      ]);
      const all = [
        at('tied'),
        at('tied-all'),
        [promptsOf(at('tied'), 'output-from-examples-v1', encoders.all).text(tasks[1]!, 0)],
      ];
      const script = fileURLToPath(new URL('../parity/prune.py', import.meta.url));
      const printed = execFileSync(python!, [script, JSON.stringify([...pairs, all])], { encoding: 'utf8' });
      const { kept } = read(join(at('tied-bare'), 'pruned_vocabulary.json'));
      const results = JSON.parse(printed.trim().split('\n').at(-1)!);
      expect(results).toHaveLength(11);
      for (const { before, after, error } of results) {
        expect(after).toEqual(before);
        expect(error).toBeLessThan(1e-5);
      }
      expect(results[0]).toMatchObject({
        chat: '<|im_start|>user\n0<|im_end|>\n<|im_start|>assistant\n1<|im_end|>\n',
        rows: 16,
        eos: kept.find(({ token }: Json) => token === '<|im_end|>').id,
      });
    },
    120_000,
  );
});
