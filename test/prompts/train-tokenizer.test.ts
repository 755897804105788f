import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseGridEncoder } from '../../src/prompts/grid-encoder.js';
import { type ChatTokenizer, loadTokenizer } from '../../src/prompts/index.js';
import { trainTokenizer, writeTokenizer } from '../../src/prompts/train-tokenizer.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-tokenizer-'));
let tokenizer: ChatTokenizer;
let vocabSize: number;

beforeAll(() => {
  vocabSize = writeTokenizer(folder, { vocabSize: 512 });
  tokenizer = loadTokenizer(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a tokenizer of our own', () => {
  it('is the one that Python was given', async () => {
    const texts = [
      'A hidden rule turns every input grid into its output grid.\n\n',
      '```grid shape: 2x3\n1 012\n2 345\n```\n\n',
      "You're shown examples; they'll differ.",
    ];
    const { tokenizer: json, config } = trainTokenizer({ vocabSize: 330, texts });
    await expect(`${JSON.stringify(json, null, 1)}\n`).toMatchFileSnapshot('fixtures/own/tokenizer.json');
    await expect(`${JSON.stringify(config, null, 2)}\n`).toMatchFileSnapshot(
      'fixtures/own/tokenizer_config.json',
    );
  });

  it('has the size that was asked for', () => {
    expect(vocabSize).toBe(512);
    expect(tokenizer.vocabSize).toBe(512);
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe('<|im_end|>');
  });

  it('round-trips any text', () => {
    const codePoint = fc
      .oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0x10ffff }))
      .filter((point) => point < 0xd800 || point > 0xdfff);
    const texts = fc.array(codePoint, { maxLength: 50 }).map((points) => String.fromCodePoint(...points));
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  it('makes every digit, sign and fence one token', () => {
    const text = '```grid shape: 12x10\n1 0123456789\n';
    const tokens = tokenizer.encode(text).map((id) => tokenizer.tokenText(id));
    const head = ['```', 'grid', ' shape', ':', ' ', '1', '2', 'x', '1', '0', '\n'];
    expect(tokens).toEqual([...head, '1', ' ', ...'0123456789', '\n']);
    const signs = parseGridEncoder('ReplaceNumberEncoder()').encode([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(tokenizer.encode(signs)).toHaveLength(10);
    for (let id = 0; id < vocabSize; id++) expect(tokenizer.tokenText(id)).not.toMatch(/\d./);
  });

  it('can be as small as the bytes and the special tokens, not smaller', () => {
    const { tokenizer: json } = trainTokenizer({ vocabSize: 259 });
    expect(json.model).toMatchObject({ merges: [] });
    expect(() => trainTokenizer({ vocabSize: 258 })).toThrow(
      'Vocabulary size 258: expected an integer of at least 259',
    );
  });

  it('stops when there is nothing left to merge', () => {
    const { tokenizer: json } = trainTokenizer({ vocabSize: 1000, texts: ['abc'] });
    expect(json.model).toMatchObject({
      merges: [
        ['a', 'b'],
        ['ab', 'c'],
      ],
    });
  });
});
