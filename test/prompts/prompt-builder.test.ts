import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import {
  definePromptKind,
  encoderCosts,
  GridParseError,
  getPromptKind,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  promptKinds,
} from '../../src/prompts/index.js';
import { templateKinds } from '../../src/prompts/prompt-kinds.js';
import { answerTo, asksForGrid, mapShown, shownBy } from '../../src/prompts/prompt-tasks.js';
import { writeTokenizer } from '../../src/prompts/train-tokenizer.js';
import { asked } from './asked.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const tokenizers = ['own', 'qwen', 'llama', 'smol'].map((name) => loadTokenizer(join(fixtures, name)));
const [own, qwen] = tokenizers as [(typeof tokenizers)[0], (typeof tokenizers)[0]];
const encoders = [
  'MinimalGridEncoder()',
  "GridWithSeparationEncoder(' ')",
  'GridCodeBlockEncoder(MinimalGridEncoder())',
  'RepeatNumberEncoder(3)',
  'ReplaceNumberEncoder()',
  'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
].map(parseGridEncoder);

const grids: fc.Arbitrary<Grid> = fc.integer({ min: 1, max: 6 }).chain((width) => {
  const row = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: width, maxLength: width });
  return fc.array(row, { minLength: 1, maxLength: 6 });
});
const samples = fc.record({ input: grids, output: grids });
const tasks: fc.Arbitrary<Task> = fc.record({
  train: fc.array(samples, { minLength: 1, maxLength: 5 }),
  test: fc.array(samples, { minLength: 1, maxLength: 3 }),
});

const line = (...cells: number[]): Grid => [cells];
const task: Task = {
  train: [
    { input: line(1, 1), output: line(2, 2) },
    { input: line(3, 3), output: line(4, 4) },
  ],
  test: [{ input: line(5, 5), output: line(6, 6) }, { input: line(7, 7) }],
};

function builder(kind: string, encoder = 'MinimalGridEncoder()', tokenizer = own) {
  return new PromptBuilder({ tokenizer, encoder: parseGridEncoder(encoder), kind: getPromptKind(kind) });
}

describe.each([...promptKinds.keys()])('prompt kind %s', (name) => {
  it('trains on exactly the prompt of inference, then the answer, then the end of turn', () => {
    fc.assert(
      fc.property(
        tasks,
        fc.constantFrom(...tokenizers),
        fc.constantFrom(...encoders),
        (plain, tokenizer, encoder) => {
          const kind = getPromptKind(name);
          const task = asked(kind, plain);
          const builder = new PromptBuilder({ tokenizer, encoder, kind });
          for (const testIndex of task.test.keys()) {
            const { tokens, answerStart, kind: trained } = builder.training(task, testIndex);
            expect(tokens.slice(0, answerStart)).toEqual(builder.inference(task, testIndex).tokens);
            expect(tokens.at(-1)).toBe(tokenizer.endOfTurnId);
            expect(trained).toBe(name);
            const sample = task.test[testIndex]!;
            const answer = tokenizer.decode(tokens.slice(answerStart, -1));
            if (!asksForGrid(kind.task)) {
              expect(answer).toBe(answerTo(kind, task, testIndex));
              continue;
            }
            expect(builder.parseAnswer(answer)).toEqual(
              kind.task === 'input-from-inputs' ? sample.input : sample.output,
            );
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('says what the chat template says of the whole conversation', () => {
    for (const tokenizer of [own, qwen]) {
      const kind = getPromptKind(name);
      const encoder = parseGridEncoder('GridShapeEncoder(MinimalGridEncoder())');
      const whatIsAsked = asked(kind, task);
      const { tokens, answerStart } = new PromptBuilder({ tokenizer, encoder, kind }).training(
        whatIsAsked,
        0,
      );
      const answer = tokenizer.decode(tokens.slice(answerStart, -1));
      const shown = mapShown(shownBy(kind, whatIsAsked, 0), (thing) =>
        typeof thing === 'string' ? thing : encoder.encode(thing),
      );
      const turns = kind.turns({ ...shown, answer });
      const render = kind.plainTurns ? tokenizer.renderTurns : tokenizer.renderChat;
      const whole = render(turns, { addGenerationPrompt: false });
      expect(`${tokenizer.decode(tokens)}\n`).toBe(whole);
    }
  });

  it('never shows what it asks for', () => {
    const encoder = parseGridEncoder('MinimalGridEncoder()');
    const kind = getPromptKind(name);
    const { test, train } = task;
    if (!asksForGrid(kind.task)) return;
    const hidden = { ...task, test: [{ input: test[0]!.input }, test[1]!] };
    const text = (task: Task) =>
      new PromptBuilder({ tokenizer: own, encoder, kind }).text({ ...task, code: 'code' }, 0);
    if (kind.task === 'input-from-inputs') {
      expect(text(task)).toBe(text({ train, test: [{ ...test[0]!, input: line(9, 9) }, test[1]!] }));
    } else {
      expect(text(task)).toBe(text(hidden));
    }
  });
});

describe('for tiny models', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-tiny-'));
  writeTokenizer(folder);
  const tiny = loadTokenizer(folder);
  afterAll(() => rmSync(folder, { recursive: true }));

  // the chat's frame: <|im_start|> user \n … <|im_end|> \n <|im_start|> assistant \n; a grid here is 2 digits
  it.each([
    ['output-from-examples-mini', 8 + 5 * 2 + 2 * 3],
    ['input-from-inputs-mini', 8 + 2 + 3 * 2 + 2],
    ['output-from-outputs-mini', 8 + 2 + 2 * 2 + 1],
  ])('%s has at most 3 tokens for a sample besides its grids', (name, tokens) => {
    const prompts = builder(name, 'MinimalGridEncoder()', tiny);
    expect(prompts.inference(task, 0).tokens).toHaveLength(tokens);
  });
});

it('the even kind puts every output as many tokens behind its input as the last one', () => {
  const tokenizer = loadTokenizer(fileURLToPath(new URL('../../assets/base-model', import.meta.url)));
  const grid = (color: number) => [
    [color, 0],
    [1, color],
  ];
  const samples = [2, 3, 4].map((color) => ({ input: grid(color), output: grid(color + 4) }));
  const { tokens, answers } = builder(
    'output-from-examples-even',
    'MinimalGridEncoder()',
    tokenizer,
  ).training({ train: samples.slice(1), test: samples.slice(0, 1) }, 0, 'every');
  const inputs = [3, 4, 2].map((color) => tokens.indexOf(tokenizer.encode(String(color))[0]!));
  // an input of five tokens and five others; a chat template adds the end of the last turn
  expect(answers.map(([start], i) => start - inputs[i]!)).toEqual([10, 10, 10]);
  expect(answers.map(([start, end]) => end - start)).toEqual([5, 5, 6]);
});

it('v1 says the same as v0 in about 200 fewer tokens', () => {
  // words and signs: English prose has 2% more tokens than these in a vocabulary as large as Qwen2's
  const length = (name: string) =>
    builder(name)
      .text(task, 0)
      .match(/\p{L}+|\d|[^\s\p{L}\d]+/gu)!.length;
  const saved = length('output-from-examples-v0') - length('output-from-examples-v1');
  expect(saved).toBeGreaterThan(180);
  expect(saved).toBeLessThan(250);
});

it('every template is registered', () => {
  const files = readdirSync(new URL('../../templates/prompts', import.meta.url));
  expect(templateKinds.map(({ name }) => `${name}.njk`).sort()).toEqual(files.sort());
});

describe('a template file', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'arclab-kinds-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(scratch, name), text);
    return join(scratch, name);
  };

  it('says what is asked by what it shows, in parts or in turns', () => {
    const parts = write(
      'parts.jinja',
      '{% set user %}{% for s in train %}{{ s.input }} becomes {{ s.output }}\n{% endfor %}{{ test }}?{% endset %}' +
        '{% set assistant %}It is {{ answer }}{% endset %}',
    );
    const kind = getPromptKind(parts);
    expect([kind.name, kind.task]).toEqual([parts, 'output-from-examples']);
    const prompts = new PromptBuilder({ tokenizer: own, encoder: encoders[0]!, kind });
    const [{ input, output }] = task.train as [(typeof task.train)[0]];
    const text = (grid: Grid) => encoders[0]!.encode(grid);
    expect(prompts.text({ ...task, train: [task.train[0]!] }, 0)).toBe(
      `<|im_start|>user\n${text(input)} becomes ${text(output)}\n${text(task.test[0]!.input)}?<|im_end|>\n` +
        '<|im_start|>assistant\nIt is ',
    );
    const inputs =
      '{% set user %}{{ inputs | join(" ") }}{% endset %}{% set assistant %}{{ answer }}{% endset %}';
    expect(getPromptKind(write('inputs.njk', inputs)).task).toBe('input-from-inputs');
    const turns = write(
      'turns.jinja',
      '[system]\nA rule.\n{% for s in train %}[user]\n{{ s.input }}\n[assistant]\n{{ s.output }}\n{% endfor %}' +
        '[user]\n{{ test }}\n[assistant]\n{{ answer }}\n',
    );
    const train = [{ input: 'a', output: 'b' }];
    expect(getPromptKind(turns).turns({ train, test: 'c', answer: 'd' })).toEqual([
      { role: 'system', content: 'A rule.' },
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd' },
    ]);
  });

  it('has the text of the file when it is asked for, as one that is edited between two cells', () => {
    const path = write('edited.jinja', '[user]\n{{ train.length }}{{ test }}\n[assistant]\n{{ answer }}');
    const user = () => getPromptKind(path).turns({ train: [], test: 'c', answer: 'd' })[0]!.content;
    expect(user()).toBe('0c');
    expect(getPromptKind(path)).toBe(getPromptKind(path));
    write('edited.jinja', '[user]\n{{ test }}!\n[assistant]\n{{ answer }}');
    expect(user()).toBe('c!');
  });

  it('is refused in one line where it is missing, or is none', () => {
    const refused = (path: string, message: RegExp) => {
      expect(() => getPromptKind(path)).toThrow(message);
      expect(() => getPromptKind(path)).toThrow(/^[^\n]+$/);
    };
    refused(join(scratch, 'missing.jinja'), /missing\.jinja: .*prompt template/);
    refused(write('none.jinja', 'words'), /none\.jinja": expected it to set "user"/);
    refused(
      write('blind.jinja', '[user]\n{{ train[0].input }}\n[assistant]\n{{ answer }}'),
      /blind\.jinja": expected it to show \{\{ test \}\}/,
    );
    refused(write('broken.jinja', '{% set user %}'), /broken\.jinja": /);
    refused(
      write('early.jinja', 'x\n[user]\n{{ test }}\n[assistant]\n{{ answer }}'),
      /writes "x\\n" before its first/,
    );
    refused(write('unset.jinja', '[user]\n{{ tests }}\n[assistant]\n{{ answer }}'), /tests is not set/);
  });
});

it('the kind that CONTRIBUTING.md shows is one that there is', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const guide = read('CONTRIBUTING.md');
  const section = guide.slice(guide.indexOf('## A prompt kind'), guide.indexOf('## A family of models'));
  const [kind, line] = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  expect(kind).toBe(read('src/prompts/bare-kind.ts'));
  expect(read('src/prompts/prompt-kinds.ts')).toContain(line);
});

describe('what is shown', () => {
  it('output-from-examples: the train samples in order and the test input', () => {
    expect(builder('output-from-examples-mini').text(task, 1)).toBe(
      '<|im_start|>user\n11\n>\n22\n\n33\n>\n44\n\n77<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(builder('output-from-examples-v1').text(task, 0)).toMatch(
      /# Example 2\n\n### Input\n\n33\n\n### Output\n\n44\n\n## Test\n\n### Input\n\n55<\|im_end\|>\n<\|im_start\|>assistant\n### Output\n\n$/,
    );
  });

  it('output-from-examples-bare: inputs and outputs in turns, without a word', () => {
    expect(builder('output-from-examples-bare').text(task, 1)).toBe(
      '<|im_start|>user\n11<|im_end|>\n<|im_start|>assistant\n22<|im_end|>\n' +
        '<|im_start|>user\n33<|im_end|>\n<|im_start|>assistant\n44<|im_end|>\n' +
        '<|im_start|>user\n77<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('input-from-inputs: the train inputs and the other test inputs; all of them for a new one', () => {
    const inputs = builder('input-from-inputs-v0');
    expect(inputs.text(task, 0)).toMatch(
      /## Input 1\n\n11\n\n## Input 2\n\n33\n\n## Input 3\n\n77<\|im_end\|>\n<\|im_start\|>assistant\n## Input 4\n\n$/,
    );
    expect(inputs.text(task, 2)).toContain('## Input 3\n\n55\n\n## Input 4\n\n77<');
    expect(() => inputs.training(task, 2)).toThrow(
      'needs the input of test sample 2, found none (the task has 2)',
    );
  });

  it.each(['input-from-inputs-v0', 'output-from-outputs-mini'])(
    '%s: a new grid is asked for as in training on a task with one sample more',
    (kind) => {
      const solved = { ...task, test: task.test.map(({ input }) => ({ input, output: input })) };
      const larger = { ...solved, test: [...solved.test, { input: [[8]], output: [[9]] }] };
      const { tokens, answerStart } = builder(kind).training(larger, task.test.length);
      expect(builder(kind).inference(solved, task.test.length).tokens).toEqual(tokens.slice(0, answerStart));
    },
  );

  it('output-from-outputs: the train outputs only', () => {
    expect(builder('output-from-outputs-mini').text(task, 0)).toBe(
      '<|im_start|>user\nout\n22\n\n44<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('no system message of ours leaves the default one of the chat template', () => {
    const text = builder('output-from-examples-mini', 'MinimalGridEncoder()', qwen).text(task, 0);
    expect(text).toMatch(/^<\|im_start\|>system\nYou are helpful.<\|im_end\|>/);
  });
});

describe('fitting into a length', () => {
  it('drops the last train samples, as few as needed, never the first', () => {
    fc.assert(
      fc.property(tasks, fc.integer({ min: 50, max: 400 }), (task, most) => {
        const prompts = builder('output-from-examples-mini');
        const length = (count: number) =>
          prompts.training({ ...task, train: task.train.slice(0, count) }, 0).tokens.length;
        const fitted = prompts.fitTask(task, 0, most);
        if (fitted === null) {
          expect(length(1)).toBeGreaterThan(most);
        } else {
          const kept = fitted.train.length;
          expect(fitted).toEqual({ ...task, train: task.train.slice(0, kept) });
          expect(length(kept)).toBeLessThanOrEqual(most);
          if (kept < task.train.length) expect(length(kept + 1)).toBeGreaterThan(most);
        }
      }),
    );
  });

  it('counts only the prompt for inference, where the output may be unknown', () => {
    const prompts = builder('output-from-examples-mini');
    const { length } = prompts.inference(task, 1).tokens;
    expect(prompts.fitTask(task, 1, length, 'inference')).toBe(task);
    expect(prompts.fitTask(task, 1, length - 1, 'inference')?.train).toEqual(task.train.slice(0, 1));
    expect(prompts.fitTask(task, 1, 5, 'inference')).toBeNull();
  });
});

describe('bad input', () => {
  it('an unknown kind lists the known ones', () => {
    const known = [...promptKinds.keys()].join(', ');
    expect(known).toMatch(/^output-from-examples-v0, .*, output-from-examples-bare/);
    expect(() => getPromptKind('predict-output-v2')).toThrow(
      `Unknown prompt kind "predict-output-v2". Known kinds: ${known}; or a template file that ends with .jinja`,
    );
  });

  it('an unknown answer or test sample is named', () => {
    const prompts = builder('output-from-examples-v0');
    expect(() => prompts.training(task, 1)).toThrow(
      'needs the output of test sample 1, found no known output',
    );
    expect(() => prompts.inference(task, 2)).toThrow('needs test sample 2, found 2 test samples');
  });

  it('a template without an answer, or with words after it, is refused', () => {
    const render = (template: string) => () =>
      definePromptKind('mine', 'input-from-inputs', template).turns({ answer: 'x' });
    expect(render('{% set user %}x{% endset %}')).toThrow(
      'Template of prompt kind "mine": expected it to set',
    );
    expect(render('{% set user %}x{% endset %}{% set assistant %}{{ answer }}.{% endset %}')).toThrow(
      'ends with {{ answer }}',
    );
    const twice =
      '{% set user %}{{ answer }}{% endset %}{% set assistant %}{{ answer }} {{ answer }}{% endset %}';
    const kind = definePromptKind('mine', 'input-from-inputs', twice);
    const prompts = new PromptBuilder({ tokenizer: own, encoder: encoders[0]!, kind });
    expect(() => prompts.training(task, 0)).toThrow("the last is the assistant's and ends with the answer");
    expect(render('{% set user %}{{ nothing }}{% endset %}')).toThrow('Template of prompt kind "mine": ');
    expect(render('{% set user %}')).toThrow(/^Template of prompt kind "mine": [^\n]+$/);
  });

  it('an answer that is no grid', () => {
    const prompts = builder('output-from-examples-v0', 'GridCodeBlockEncoder(MinimalGridEncoder())');
    expect(prompts.parseAnswer('```grid\n01\n```')).toEqual([[0, 1]]);
    expect(() => prompts.parseAnswer('```grid\n01\n0')).toThrow(GridParseError);
  });
});

describe('the parts of a prompt', () => {
  it('are its text, for every kind, tokenizer and task; the answer is the last', () => {
    fc.assert(
      fc.property(
        tasks,
        fc.constantFrom(...tokenizers),
        fc.constantFrom(...promptKinds.values()),
        fc.constantFrom(...encoders),
        (plain, tokenizer, kind, encoder) => {
          const task = asked(kind, plain);
          const builder = new PromptBuilder({ tokenizer, encoder, kind });
          const parts = builder.parts(task, 0);
          const { tokens, answerStart } = builder.training(task, 0);
          expect(parts.map(({ text }) => text).join('')).toBe(tokenizer.decode(tokens));
          expect(parts.at(-1)).toEqual({ role: 'answer', text: tokenizer.decode(tokens.slice(answerStart)) });
          const shown = mapShown(shownBy(kind, task, 0), () => 'g');
          const turns = kind.turns({ ...shown, answer: 'a' }).filter(({ role }) => role === 'user');
          expect(parts.filter(({ role }) => role === 'user')).toHaveLength(turns.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('what encoders cost', () => {
  it('counts the tokens of real prompts and of grids', () => {
    const task: Task = {
      train: [{ input: [[1, 2]], output: [[3]] }],
      test: [{ input: [[4]], output: [[5, 6, 7]] }],
    };
    const kind = getPromptKind('output-from-examples-mini');
    const [row] = encoderCosts([task], ['MinimalGridEncoder()'], { tokenizer: own, kind, maxSeqLen: 10 });
    const builder = new PromptBuilder({
      tokenizer: own,
      encoder: parseGridEncoder('MinimalGridEncoder()'),
      kind,
    });
    const length = builder.training(task, 0).tokens.length;
    // the small tokenizer has one token per digit, and these grids have one row
    expect(row).toEqual({
      encoder: 'MinimalGridEncoder()',
      tokensPerPrompt: length,
      longestPrompt: length,
      tokensPerCell: 1,
      fits: 0,
    });
  });
});
