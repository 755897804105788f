import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkAnswers } from '../../src/prompts/answer-checks.js';
import { type ChatTokenizer, loadTokenizer, parseGridEncoder } from '../../src/prompts/index.js';

const load = (name: string) => loadTokenizer(join(import.meta.dirname, 'fixtures', name));
const minimal = parseGridEncoder('MinimalGridEncoder()');

function findings(
  tokenizer: ChatTokenizer,
  { encoder = minimal, ...model }: { encoder?: typeof minimal; vocabSize?: number; listed?: number[] } = {},
) {
  return checkAnswers(tokenizer, encoder, {
    vocabSize: tokenizer.vocabSize,
    listed: [tokenizer.endOfTurnId],
    ...model,
  }).map(({ severity, text }) => `${severity} ${text}`);
}

test('one token for each colour, and an end that the model lists: nothing to say', () => {
  expect(findings(load('qwen'))).toEqual([]);
  expect(findings(load('own'), { listed: [] })).toEqual([]);
  expect(findings(load('llama'), { encoder: parseGridEncoder("GridWithSeparationEncoder('|')") })).toEqual(
    [],
  );
});

test('digits that merge with their neighbours, and colours of several tokens, are noted', () => {
  // this tokenizer has tokens of two and three digits, as Llama 3 has
  const llama = load('llama');
  expect(llama.encode('00')).toHaveLength(1);
  expect(findings(llama)).toEqual([
    expect.stringMatching(/^note encoder: a token such as "00" holds several cells/),
  ]);
  const signs = findings(load('smol'), { encoder: parseGridEncoder('ReplaceNumberEncoder()') });
  expect(signs).toEqual([
    expect.stringMatching(/^note encoder: 10 of 10 colours take several tokens, such as "ñ" with 2/),
  ]);
});

test('a colour that the tokenizer cannot write is a hole', () => {
  const qwen = load('qwen');
  const seven = qwen.encode('7')[0]!;
  const unknown = {
    ...qwen,
    encode: (text: string) => qwen.encode(text).map((id) => (id === seven ? 0 : id)),
  };
  expect(findings(unknown)).toEqual([
    `hole encoder: the tokenizer cannot write "7", which MinimalGridEncoder() writes for colour 7, and gives ` +
      `${JSON.stringify(qwen.decode([0]))} for it; use another grid encoder`,
  ]);
});

test('an end that inference does not stop at, that has no embedding or that text does not give is a hole', () => {
  const qwen = load('qwen');
  const name = `"<|im_end|>" (token ${qwen.endOfTurnId})`;
  expect(findings({ ...qwen, stopIds: [] })).toEqual([
    `hole end of answer: training teaches ${name}, at which inference does not stop`,
  ]);
  expect(findings(qwen, { vocabSize: qwen.endOfTurnId })).toEqual([
    `hole end of answer: training teaches ${name}, for which the model of ${qwen.endOfTurnId} tokens has no embedding`,
  ]);
  const plain = { ...qwen, encode: (text: string) => qwen.encode(text.replace('<|im_end|>', '<im_end>')) };
  expect(findings(plain)).toEqual([
    expect.stringMatching(
      /^hole end of answer: training teaches .*, but the tokenizer reads that text as \d+ tokens/,
    ),
  ]);
});

test('a base model, which lists another end, and a chat template without an end are noted', () => {
  const qwen = load('qwen');
  const endOfText = qwen.encode('<|endoftext|>')[0]!;
  expect(findings(qwen, { listed: [endOfText] })).toEqual([
    expect.stringMatching(/^note end of answer: .*; the model's configuration lists only "<\|endoftext\|>"/),
  ]);
  const bare = { ...qwen, renderChat: () => 'a b' };
  expect(findings(bare)).toEqual([expect.stringMatching(/^note .* which the chat template does not write/)]);
});
