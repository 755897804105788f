/** The tokens of all prompts are found by construction; here they are looked for in prompts. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { TokenGrammar } from '../../src/generation/constraint.js';
import { VocabularyTrie } from '../../src/generation/vocabulary.js';
import {
  type ChatTokenizer,
  hasCode,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  promptKinds,
  promptVocabulary,
} from '../../src/prompts/index.js';
import { isOfGrids } from '../../src/prompts/prompt-kinds.js';
import { mostSamples } from '../../src/prompts/prompt-vocabulary.js';
import { trainTokenizer } from '../../src/prompts/train-tokenizer.js';
import { grids } from '../arc/arbitraries.js';
import { asked } from './asked.js';

const temporary: string[] = [];
afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true });
});

const solved = fc.array(fc.record({ input: grids(8), output: grids(8) }), { minLength: 2, maxLength: 6 });

// biome-ignore lint/suspicious/noExplicitAny: parts of a file that are changed at will
type Json = Record<string, any>;

function tokenizerOf(change: (json: Json, config: Json) => void, generation: Json = {}): ChatTokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-tokenizer-'));
  temporary.push(folder);
  const { tokenizer, config } = structuredClone(trainTokenizer()) as { tokenizer: Json; config: Json };
  change(tokenizer, config);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(generation));
  return loadTokenizer(folder);
}

/** Merges whatever stands side by side, over the borders of cells, rows, fences and the text around grids. */
const greedy = tokenizerOf((json) => {
  json.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const { vocab, merges } = json.model;
  let next = Object.keys(vocab).length + 100;
  const add = (left: string, right: string) => {
    if (vocab[left + right] !== undefined) return;
    vocab[left + right] = next++;
    merges.unshift([left, right]);
  };
  const [newline, space] = ['Ċ', 'Ġ'];
  for (const digit of '0123456789') {
    for (const other of '0123456789') add(digit, other);
    for (const sign of [newline, space, '|', 'x', '`']) {
      add(digit, sign);
      add(sign, digit);
    }
  }
  for (const [left, right] of [
    ['00', '00'],
    ['000', '00'],
    [newline, newline],
    ['`', newline],
    [newline, '`'],
    ['0Ċ', '0Ċ'],
    ['0|', '0|'],
    ['Ċ1', 'Ġ'],
    ['Ċ1Ġ', '0'],
    ['Ã', '±'],
    ['±', 'Ã'],
    ['Ã±', 'Ã±'],
    ['Ċ', '<'],
  ] as const) {
    // merges need their parts
    if ([left, right].every((part) => vocab[part] !== undefined)) add(left, right);
  }
});

const fixture = (name: string) => loadTokenizer(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)));
const tokenizers: Record<string, ChatTokenizer> = {
  ...Object.fromEntries(
    ['own', 'qwen', 'llama', 'smol', 'mistral', 'mistral-v3', 'phi3'].map((name) => [name, fixture(name)]),
  ),
  greedy,
  gemma: gemmaLike(),
};

/** As Gemma 3 reads texts: spaces are U+2581, none is put before a text, and digits are tokens of their own. */
function gemmaLike(): ChatTokenizer {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-gemma-'));
  temporary.push(folder);
  const source = fileURLToPath(new URL('fixtures/phi3', import.meta.url));
  const json = JSON.parse(readFileSync(join(source, 'tokenizer.json'), 'utf8'));
  json.normalizer = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  json.pre_tokenizer = {
    type: 'Split',
    pattern: { String: ' ' },
    behavior: 'MergedWithPrevious',
    invert: false,
  };
  json.decoder.decoders.pop();
  for (const token of json.added_tokens) token.rstrip = false;
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
  cpSync(join(source, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
  return loadTokenizer(folder);
}

const expressions = [
  'MinimalGridEncoder()',
  "GridWithSeparationEncoder('|')",
  "GridWithSeparationEncoder('<|im_end|>')",
  'RepeatNumberEncoder(3)',
  'ReplaceNumberEncoder()',
  'GridCodeBlockEncoder(MinimalGridEncoder())',
  'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  "GridShapeEncoder(GridCodeBlockEncoder(RowNumberEncoder(RowNumberEncoder(ReplaceNumberEncoder(GridWithSeparationEncoder(' '))))))",
];

describe.each(Object.entries(tokenizers))('prompt vocabulary of tokenizer %s', (_, tokenizer) => {
  it.each(expressions)('holds every token of prompts and answers: %s', (expression) => {
    const encoder = parseGridEncoder(expression);
    const kinds = [...promptKinds.values()].filter(({ task }) => !hasCode(task));
    const vocabulary = new Set(promptVocabulary(tokenizer, encoder, kinds));
    expect(vocabulary.has(tokenizer.endOfTurnId)).toBe(true);
    const builders = kinds.map((kind) => new PromptBuilder({ tokenizer, encoder, kind }));
    fc.assert(
      fc.property(solved, fc.constantFrom(...builders), ([first, ...train], prompts) => {
        const { tokens } = prompts.training(asked(prompts.kind, { train, test: [first!] }), 0);
        expect(tokens.filter((id) => !vocabulary.has(id))).toEqual([]);
      }),
      { seed: 5, numRuns: 60 },
    );
    const largest = Array.from({ length: 30 }, (_, i) => Array.from({ length: 30 }, (_, j) => (i * j) % 10));
    const sample = { input: largest, output: largest };
    for (const prompts of builders) {
      const { tokens } = prompts.training(asked(prompts.kind, { train: [sample], test: [sample] }), 0);
      expect(tokens.filter((id) => !vocabulary.has(id))).toEqual([]);
    }
  });

  it.each(expressions)('holds every token that a grammar allows: %s', (expression) => {
    const { grammar } = parseGridEncoder(expression);
    const vocabulary = new Set(promptVocabulary(tokenizer, parseGridEncoder(expression)));
    const rng = Rng.of(3, expression);
    const tokens = new TokenGrammar(grammar, new VocabularyTrie(tokenizer), tokenizer);
    for (let walk = 0; walk < 20; walk++) {
      let state = tokens.initial;
      for (let step = 0; step < 60 && !tokens.mustEnd(state); step++) {
        const { tokens: allowed, states } = tokens.continuations(state);
        expect([...allowed].filter((id) => !vocabulary.has(id))).toEqual([]);
        expect(tokens.forced(state).tokens.filter((id) => !vocabulary.has(id))).toEqual([]);
        state = states.get(rng.pick([...allowed]))!;
      }
    }
  });
});

it('one of the tokenizers merges across borders', () => {
  const texts = (text: string) => greedy.encode(text).map((id) => greedy.tokenText(id));
  expect(texts('00000\n0|0`\n')).toEqual(['0000', '0', '\n0', '|0', '`\n']);
});

describe('prompt vocabulary', () => {
  const encoder = parseGridEncoder('GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))');

  it('leaves out what no prompt can have', () => {
    const { qwen } = tokenizers;
    const ids = promptVocabulary(qwen!, encoder);
    const texts = [...ids].map((id) => qwen!.tokenText(id));
    expect([...ids].every((id, i) => i === 0 || id > ids[i - 1]!)).toBe(true);
    expect(ids.length).toBeLessThan(qwen!.vocabSize);
    for (const absent of ['{', '}', '=', '\uFFFD']) expect(texts).not.toContain(absent);
    for (const present of ['0', '9', '\n', ' ', 'x', '`', '<|im_start|>']) expect(texts).toContain(present);
  });

  it('holds every token that ends an answer, also what no prompt has', () => {
    const ids = (listed: readonly number[]) =>
      promptVocabulary(
        tokenizerOf(() => {}, { eos_token_id: listed }),
        encoder,
      );
    const { own } = tokenizers;
    const [end, other] = [own!.endOfTurnId, own!.encode('{')[0]!];
    expect([...ids([end])]).not.toContain(other);
    expect([...ids([end, other])]).toEqual(expect.arrayContaining([end, other]));
  });

  it('holds the tokens of prompts with many samples', () => {
    const sample = { input: [[1]], output: [[2]] };
    for (const [name, tokenizer] of Object.entries(tokenizers)) {
      const vocabulary = new Set(promptVocabulary(tokenizer, encoder));
      for (const kind of [...promptKinds.values()].filter(isOfGrids)) {
        for (const count of [2, 9, 10, 11, 99, mostSamples]) {
          const task = { train: new Array(count).fill(sample), test: [sample] };
          const { tokens } = new PromptBuilder({ tokenizer, encoder, kind }).training(task, 0);
          expect([name, tokens.filter((id) => !vocabulary.has(id))]).toEqual([name, []]);
        }
      }
    }
  });

  it('asks the chat template once for what stands around grids, whatever the encoders', () => {
    let rendered = 0;
    const { own } = tokenizers;
    const counted: ChatTokenizer = {
      ...own!,
      renderChat: (...call) => {
        rendered += 1;
        return own!.renderChat(...call);
      },
    };
    const first = promptVocabulary(counted, encoder);
    const once = rendered;
    expect(once).toBeGreaterThan(mostSamples);
    expect(promptVocabulary(counted, encoder)).toEqual(first);
    expect(promptVocabulary(counted, parseGridEncoder('MinimalGridEncoder()'))).not.toEqual(first);
    expect(rendered).toBe(once);
  });

  it('refuses a tokenizer whose tokens are no pieces of the text', () => {
    for (const change of [
      (json: Json) => {
        json.pre_tokenizer.pretokenizers[1].add_prefix_space = true;
      },
      (json: Json) => {
        json.normalizer = { type: 'Lowercase' };
      },
      (json: Json) => {
        json.model.end_of_word_suffix = '</w>';
      },
    ]) {
      expect(() => promptVocabulary(tokenizerOf(change), encoder)).toThrow(/`pruneVocab`.*byte-level BPE/);
    }
  });

  it('refuses what sentencepiece reads as a space', () => {
    const cells = parseGridEncoder("GridWithSeparationEncoder('▁')");
    expect(() => promptVocabulary(tokenizers.qwen!, cells)).not.toThrow();
    const single = parseGridEncoder("ReplaceNumberEncoder(GridWithSeparationEncoder('▁'))");
    for (const encoder of [cells, single]) {
      expect(() => promptVocabulary(tokenizers.phi3!, encoder)).toThrow(/without U\+2581/);
    }
  });

  it('refuses cells that melt into one character', () => {
    const accents = parseGridEncoder("ReplaceNumberEncoder(GridWithSeparationEncoder('\u0323'))");
    expect(() => promptVocabulary(tokenizers.qwen!, accents)).toThrow(/composed form/);
  });

  it('refuses a chat template that hides a grid', () => {
    const forgetful = tokenizerOf((_, config) => {
      config.chat_template = "{{ messages[-1]['content'] | replace('\\uE001', '') }}<|im_end|>";
    });
    expect(() => promptVocabulary(forgetful, encoder)).toThrow(/does not show every grid/);
  });
});
