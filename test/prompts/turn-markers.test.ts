/** What chat templates of different families write around turns, and conversations with nothing else. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type ChatTokenizer,
  getPromptKind,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  promptVocabulary,
} from '../../src/prompts/index.js';
import { turnTemplate } from '../../src/prompts/turn-markers.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-turns-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: parts of a file that are changed at will
type Json = Record<string, any>;

/** A fixture's tokenizer with another configuration. */
function withConfig(base: string, change: (config: Json, json: Json) => void): ChatTokenizer {
  const folder = mkdtempSync(join(scratch, 'tokenizer-'));
  cpSync(fixture(base), folder, { recursive: true });
  rmSync(join(folder, 'chat_template.jinja'), { force: true });
  const [config, json] = ['tokenizer_config.json', 'tokenizer.json'].map(
    (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Json,
  ) as [Json, Json];
  change(config, json);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
  return loadTokenizer(folder);
}

/** Templates in the manner of families whose turns differ. */
const templates = {
  // a system message where none is given, and a block of thoughts in the last answer only
  thinking:
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nBe good.<|im_end|>\\n' }}{% endif %}" +
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if loop.last and m['role'] == 'assistant' %}" +
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{{ m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  // the model's role has another name, and a text begins with a token
  named:
    "{{ bos_token }}{% for m in messages %}{{ '<start>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' }}" +
    "{{ m['content'] | trim + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start>model\\n' }}{% endif %}",
  // begins another answer, whether it is asked to or not, as the first template of Llama 3
  eager:
    "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n\\n' + m['content'] + '<|im_end|>' }}" +
    "{% endfor %}{{ '<|im_start|>assistant\\n\\n' }}",
  // brackets around what is asked
  brackets:
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}" +
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
};

const turns = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content: `${i}`,
  }));

describe('plain turns', () => {
  const rendered = (template: string, options: { addGenerationPrompt: boolean }, count = 3) =>
    withConfig('qwen', (config) => {
      config.bos_token = '<|endoftext|>';
      config.chat_template = template;
    }).renderTurns(turns(count), options);

  it('have the markers of turns and nothing else of a template', () => {
    expect(rendered(templates.thinking, { addGenerationPrompt: true })).toBe(
      '<|im_start|>user\n0<|im_end|>\n<|im_start|>assistant\n1<|im_end|>\n<|im_start|>user\n2<|im_end|>\n' +
        '<|im_start|>assistant\n',
    );
    expect(rendered(templates.named, { addGenerationPrompt: true })).toBe(
      '<|endoftext|><start>user\n0<|im_end|>\n<start>model\n1<|im_end|>\n<start>user\n2<|im_end|>\n<start>model\n',
    );
    expect(rendered(templates.eager, { addGenerationPrompt: false }, 2)).toBe(
      '<|endoftext|><|im_start|>user\n\n0<|im_end|><|im_start|>assistant\n\n1<|im_end|>',
    );
    expect(rendered(templates.brackets, { addGenerationPrompt: false }, 4)).toBe(
      '<|endoftext|>[INST] 0 [/INST] 1<|im_end|>[INST] 2 [/INST] 3<|im_end|>',
    );
    expect(loadTokenizer(fixture('llama')).renderTurns(turns(1), { addGenerationPrompt: true })).toBe(
      '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n0<|eot_id|>' +
        '<|start_header_id|>assistant<|end_header_id|>\n\n',
    );
  });

  it('are what a template of theirs writes', () => {
    for (const template of Object.values(templates)) {
      const tokenizer = withConfig('qwen', (config) => {
        Object.assign(config, { bos_token: '<|endoftext|>', chat_template: template });
      });
      const again = withConfig('qwen', (config) => {
        Object.assign(config, {
          bos_token: '<|endoftext|>',
          chat_template: turnTemplate(tokenizer.turnMarkers()),
        });
      });
      for (const count of [1, 2, 3, 4]) {
        for (const addGenerationPrompt of [true, false]) {
          const expected = tokenizer.renderTurns(turns(count), { addGenerationPrompt });
          expect(again.renderChat(turns(count), { addGenerationPrompt })).toBe(expected);
          expect(again.renderTurns(turns(count), { addGenerationPrompt })).toBe(expected);
        }
      }
    }
  });

  it('are refused where a template has none', () => {
    const joined = withConfig('qwen', (config) => {
      config.chat_template =
        "{% for m in messages %}{{ m['content'] }}{{ loop.index }}{% endfor %}<|im_end|>";
    });
    expect(() => joined.renderTurns(turns(1), { addGenerationPrompt: true })).toThrow(
      /^a prompt kind of plain turns: expected a chat template that writes turns one after the other/,
    );
    const { renderTurns } = loadTokenizer(fixture('qwen'));
    const system = { role: 'system', content: 'x' } as const;
    expect(() => renderTurns([system], { addGenerationPrompt: true })).toThrow(/found system as number 1$/);
  });

  it('need no tokens but those of grids and of their markers', () => {
    const kind = getPromptKind('output-from-examples-bare');
    const sample = {
      input: [
        [0, 1],
        [2, 3],
      ],
      output: [[4], [5], [6], [7], [8], [9]],
    };
    for (const name of ['qwen', 'llama']) {
      const tokenizer = loadTokenizer(fixture(name));
      for (const expression of [
        'MinimalGridEncoder()',
        'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
      ]) {
        const encoder = parseGridEncoder(expression);
        const small = promptVocabulary(tokenizer, encoder, [kind]);
        const { tokens } = new PromptBuilder({ tokenizer, encoder, kind }).training(
          { train: Array.from({ length: 12 }, () => sample), test: [sample] },
          0,
          'every',
        );
        expect(tokens.filter((id) => !small.includes(id))).toEqual([]);
        const whole = promptVocabulary(tokenizer, encoder);
        expect(small.length).toBeLessThan(whole.length);
        expect([...small].filter((id) => !whole.includes(id))).toEqual([]);
      }
    }
    const words = (name: string) =>
      [...promptVocabulary(loadTokenizer(fixture(name)), parseGridEncoder('MinimalGridEncoder()'), [kind])]
        .length;
    // ten digits, the line break, two markers, and what these small vocabularies cut the two roles into
    expect(words('qwen')).toBe(
      13 + new Set(['user', 'assistant'].flatMap((word) => loadTokenizer(fixture('qwen')).encode(word))).size,
    );
  });
});

describe('a base model without a chat template', () => {
  it('has plain turns, which end with the end of text', () => {
    const base = withConfig('qwen', (config) => {
      delete config.chat_template;
      config.eos_token = '<|endoftext|>';
    });
    expect(base.hasPlainTemplate).toBe(true);
    expect(base.endOfTurnId).toBe(400);
    expect(base.renderChat(turns(3), { addGenerationPrompt: true })).toBe(
      'user:\n0\n\nassistant:\n1<|endoftext|>\n\nuser:\n2\n\nassistant:\n',
    );
    expect(base.renderTurns(turns(3), { addGenerationPrompt: true })).toBe(
      base.renderChat(turns(3), { addGenerationPrompt: true }),
    );
    expect(loadTokenizer(fixture('qwen')).hasPlainTemplate).toBe(false);
  });

  it('begins a text as its tokenizer does', () => {
    const begins = (change: (config: Json, json: Json) => void) =>
      withConfig('llama', (config, json) => {
        delete config.chat_template;
        change(config, json);
      }).renderChat(turns(1), { addGenerationPrompt: true });
    expect(begins(() => {})).toBe('<|begin_of_text|>user:\n0\n\nassistant:\n');
    expect(
      begins((_, json) => {
        json.post_processor = null;
      }),
    ).toBe('user:\n0\n\nassistant:\n');
    expect(
      begins((config) => {
        config.add_bos_token = false;
      }),
    ).toBe('user:\n0\n\nassistant:\n');
  });
});
