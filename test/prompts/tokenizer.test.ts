import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type ChatMessage, loadTokenizer, TokenizerError } from '../../src/prompts/index.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const readFixture = (path: string) => JSON.parse(readFileSync(join(fixtures, path), 'utf8'));

interface Reference {
  texts: string[];
  conversations: ChatMessage[][];
  tokenizers: Record<
    string,
    { vocabSize: number; ids: number[][]; decoded: string[]; chats: { text: string; ids: number[] }[] }
  >;
}
const reference: Reference = readFixture('reference.json');

const endOfTurn: Record<string, string> = {
  llama: '<|eot_id|>',
  mistral: '</s>',
  'mistral-v3': '</s>',
  nemo: '</s>',
  phi3: '<|end|>',
  phi4: '<|end|>',
};

describe.each(Object.entries(reference.tokenizers))('tokenizer %s', (name, expected) => {
  const tokenizer = loadTokenizer(join(fixtures, name));
  const config = readFixture(`${name}/tokenizer_config.json`);
  const library = new Tokenizer(readFixture(`${name}/tokenizer.json`), config);

  it('gives the ids and texts of transformers', () => {
    expect(tokenizer.vocabSize).toBe(expected.vocabSize);
    for (const [i, text] of reference.texts.entries()) {
      expect(tokenizer.encode(text)).toEqual(expected.ids[i]);
      expect(tokenizer.decode(expected.ids[i] as number[])).toBe(expected.decoded[i]);
    }
  });

  it('renders the chats of transformers', () => {
    for (const [i, messages] of reference.conversations.entries()) {
      const addGenerationPrompt = messages.at(-1)?.role !== 'assistant';
      const text = tokenizer.renderChat(messages, { addGenerationPrompt });
      expect(text).toBe(expected.chats[i]?.text);
      expect(tokenizer.encode(text)).toEqual(expected.chats[i]?.ids);
    }
  });

  it('encodes like the library, whatever it remembers', () => {
    const pieces = fc.constantFrom(
      ...[
        '```grid shape: 2x3\n',
        '1 012\n',
        '\n',
        '\n\n',
        ' ',
        '  ',
        '\r',
        "'s",
        "'LL",
        'é',
        'e\u0301',
        '½',
        '١٢',
        '👧',
      ],
      ...[
        '<|im_start|>',
        '<|im_end|>',
        '<|eot_id|>',
        '<|im_',
        '\t',
        '.',
        '|',
        'abc',
        'ñò',
        '123456',
        ' Grid',
        '_',
      ],
    );
    const texts = fc.array(fc.oneof(pieces, fc.string({ unit: 'grapheme' })), { maxLength: 40 });
    fc.assert(
      fc.property(texts, (parts) => {
        const text = parts.join('');
        const plain = library.encode(text, { add_special_tokens: false }).ids;
        expect(tokenizer.encode(text)).toEqual(plain);
        expect(tokenizer.encode(text)).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  });

  it('knows the token that ends the turn', () => {
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe(endOfTurn[name] ?? '<|im_end|>');
  });

  it('cuts a text that goes on as the end of a longer one, and each token has its own text', () => {
    const text = '01 23\n45 67';
    const whole = tokenizer.encode(`x\n${text}`);
    const ids = tokenizer.encodeAfter(text);
    expect(whole.slice(-ids.length)).toEqual(ids);
    expect(ids.map((id) => tokenizer.tokenText(id)).join('')).toBe(text);
    const isSentencepiece = ['mistral', 'mistral-v3', 'phi3'].includes(name);
    expect(tokenizer.prependsSpace).toBe(isSentencepiece);
    expect(tokenizer.encode(text).length - ids.length).toBe(isSentencepiece ? 1 : 0);
  });

  it('leaves out ids beyond the vocabulary', () => {
    const [a] = tokenizer.encode('a');
    expect(tokenizer.decode([a as number, tokenizer.vocabSize, 1e6])).toBe('a');
    expect(tokenizer.decode([])).toBe('');
  });
});

describe('other parts that a tokenizer may have', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-parts-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true };

  it.each<[string, (json: Record<string, unknown>) => void]>([
    ['gpt2', (json) => Object.assign(json, { pre_tokenizer: byteLevel })],
    ['prefix', (json) => Object.assign(json, { pre_tokenizer: { ...byteLevel, add_prefix_space: true } })],
    ['lower', (json) => Object.assign(json, { normalizer: { type: 'Lowercase' } })],
    [
      'normalized',
      (json) => {
        json.normalizer = { type: 'Lowercase' };
        (json.added_tokens as object[]).push({ id: 403, content: 'Grid', normalized: true, special: false });
      },
    ],
    [
      'strips',
      (json) => {
        (json.added_tokens as object[]).push({ id: 403, content: '<sep>', lstrip: true, rstrip: true });
      },
    ],
    [
      'nested',
      (json) => {
        (json.added_tokens as object[]).push({ id: 403, content: '<|im_start|>user', special: true });
      },
    ],
  ])('%s: encodes like the library', (name, change) => {
    const json = readFixture('smol/tokenizer.json');
    change(json);
    const copy = join(folder, name);
    cpSync(join(fixtures, 'smol'), copy, { recursive: true });
    writeFileSync(join(copy, 'tokenizer.json'), JSON.stringify(json));
    const tokenizer = loadTokenizer(copy);
    const library = new Tokenizer(json, readFixture('smol/tokenizer_config.json'));
    const extra = ['GRID grid Grid\n12 34', 'a <sep> b', '<|im_start|>user\n<|im_start|>system'];
    for (const text of [...reference.texts, ...extra]) {
      expect(tokenizer.encode(text)).toEqual(library.encode(text, { add_special_tokens: false }).ids);
    }
  });
});

describe('a broken model folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-broken-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A copy of the Qwen-like folder with one file changed, or removed when the change gives undefined. */
  function broken(name: string, file: string, change: (text: string) => string | undefined): string {
    const copy = join(folder, name);
    cpSync(join(fixtures, 'qwen'), copy, { recursive: true });
    const changed = change(readFileSync(join(copy, file), 'utf8'));
    if (changed === undefined) rmSync(join(copy, file));
    else writeFileSync(join(copy, file), changed);
    return copy;
  }
  const edit = (change: (json: Record<string, unknown>) => void) => (text: string) => {
    const json = JSON.parse(text);
    change(json);
    return JSON.stringify(json);
  };

  it.each<[string, string, (text: string) => string | undefined, string]>([
    [
      'missing',
      'tokenizer.json',
      () => undefined,
      "missing/tokenizer.json: cannot read the tokenizer's tokenizer.json: no such file",
    ],
    [
      'truncated',
      'tokenizer.json',
      (text) => text.slice(0, 1000),
      'truncated/tokenizer.json: expected the tokenizer',
    ],
    ['shapeless', 'tokenizer.json', () => '{"model": {}}', 'not a Hugging Face tokenizer.json: at'],
    [
      'vocab',
      'tokenizer.json',
      edit((json) => {
        json.model = { type: 'BPE', vocab: {} };
      }),
      'not a tokenizer that can be loaded',
    ],
    ['config', 'tokenizer_config.json', () => undefined, 'tokenizer_config.json: cannot read'],
    [
      'endless',
      'tokenizer_config.json',
      edit((json) => {
        delete json.chat_template;
        delete json.eos_token;
      }),
      'endless: cannot tell which token ends the assistant',
    ],
    [
      'jinja',
      'tokenizer_config.json',
      edit((json) => {
        json.chat_template = '{% if %}';
      }),
      'the chat template cannot be parsed',
    ],
    [
      'refuses',
      'tokenizer_config.json',
      edit((json) => {
        json.chat_template = "{{ raise_exception('no roles') }}";
      }),
      'does not take the messages (user, assistant): no roles',
    ],
    [
      'endless',
      'tokenizer_config.json',
      edit((json) => {
        json.chat_template = '{{ messages[1].content }}';
        json.eos_token = '<none>';
      }),
      'cannot tell which token ends',
    ],
  ])('%s', (name, file, change, message) => {
    const copy = broken(name, file, change);
    expect(() => loadTokenizer(copy)).toThrow(TokenizerError);
    expect(() => loadTokenizer(copy)).toThrow(message);
  });

  it('no folder', () => {
    expect(() => loadTokenizer('/nowhere')).toThrow('/nowhere: no such folder');
  });

  it.each([
    ['refuses', "{{ raise_exception('System role not supported') }}"],
    ['leaves out', ''],
  ])(
    'a chat template that %s a system message gets it at the beginning of the first turn',
    (name, branch) => {
      const template =
        `{% for m in messages %}{% if m['role'] == 'system' %}${branch}{% else %}` +
        "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}";
      const copy = broken(
        `system-${name.replace(' ', '-')}`,
        'tokenizer_config.json',
        edit((json) => {
          json.chat_template = template;
        }),
      );
      const { renderChat } = loadTokenizer(copy);
      const user: ChatMessage = { role: 'user', content: 'What?' };
      const system: ChatMessage = { role: 'system', content: 'Be brief.' };
      const render = (...messages: ChatMessage[]) => renderChat(messages, { addGenerationPrompt: false });
      expect(render(system, user)).toBe('<|im_start|>user\nBe brief.\n\nWhat?<|im_end|>\n');
      expect(render(user, { role: 'assistant', content: 'That.' })).toBe(
        '<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\nThat.<|im_end|>\n',
      );
    },
  );

  it('ends the turn with the end of text when the chat template has no token for it', () => {
    const copy = broken(
      'eos',
      'tokenizer_config.json',
      edit((json) => {
        json.chat_template = '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
        json.eos_token = { content: '<|endoftext|>' };
      }),
    );
    const tokenizer = loadTokenizer(copy);
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe('<|endoftext|>');
  });

  it.each([
    [['<|im_end|>'], ['<|im_end|>']],
    [
      ['<|endoftext|>', '<|im_end|>'],
      ['<|im_end|>', '<|endoftext|>'],
    ],
  ])('knows which tokens end an answer: %s', (listed, expected) => {
    const copy = broken(`stops-${listed.length}`, 'tokenizer_config.json', (text) => text);
    const ids = listed.map((text) => loadTokenizer(copy).encode(text)[0]);
    writeFileSync(join(copy, 'config.json'), JSON.stringify({ eos_token_id: ids }));
    const tokenizer = loadTokenizer(copy);
    expect(tokenizer.stopIds.map((id) => tokenizer.tokenText(id))).toEqual(expected);
  });

  it.each([['"324"'], ['[324, -1]'], ['{}'], ['[[324]]']])('refuses eos_token_id %s', (value) => {
    const copy = broken(value.replace(/\W/g, '_'), 'tokenizer_config.json', (text) => text);
    writeFileSync(join(copy, 'generation_config.json'), `{"eos_token_id": ${value}}`);
    expect(() => loadTokenizer(copy)).toThrow(/generation_config\.json: not .*at \/eos_token_id/);
  });

  it('asks a template for the day, and always gets the same', () => {
    const template =
      '{{ strftime_now("%d %B %Y") }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}';
    const copy = broken(
      'day',
      'tokenizer_config.json',
      edit((json) => {
        json.chat_template = template;
      }),
    );
    expect(loadTokenizer(copy).renderChat([], { addGenerationPrompt: true })).toBe('26 July 2024');
  });
});
