import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import { spansOfAnswers } from '../../src/prompts/answer-spans.js';
import {
  type ChatMessage,
  type ChatTokenizer,
  loadTokenizer,
  PromptBuilder,
  type PromptGrids,
  type PromptKind,
  parseGridEncoder,
  promptKinds,
} from '../../src/prompts/index.js';
import { answerTo } from '../../src/prompts/prompt-tasks.js';
import { grids } from '../arc/arbitraries.js';
import { asked } from './asked.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const names = ['own', 'qwen', 'llama', 'smol'];
const tokenizers = names.map((name) => loadTokenizer(join(fixtures, name)));
const [own] = tokenizers as [ChatTokenizer];
const encoders = [
  'MinimalGridEncoder()',
  "GridWithSeparationEncoder('|')",
  'RepeatNumberEncoder(3)',
  'ReplaceNumberEncoder()',
  'GridCodeBlockEncoder(MinimalGridEncoder())',
  'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
].map(parseGridEncoder);

const samples = fc.record({ input: grids(6), output: grids(6) });
const tasks: fc.Arbitrary<Task> = fc.record({
  train: fc.array(samples, { minLength: 1, maxLength: 4 }),
  test: fc.array(samples, { minLength: 1, maxLength: 3 }),
});

const reference = JSON.parse(readFileSync(join(fixtures, 'answer-spans.json'), 'utf8')) as {
  texts: string[][];
  spans: Record<string, [number, number][][]>;
};

it.each(names)('finds the tokens of answers that the offsets of tokenizers say: %s', (name) => {
  const tokenizer = tokenizers[names.indexOf(name)]!;
  const vocabulary = tokenizer.byteVocabulary()!;
  for (const [i, texts] of reference.texts.entries()) {
    const parts = texts.map((text, part) => ({ text, isAnswer: part % 2 === 1 }));
    const tokens = tokenizer.encode(texts.join(''));
    expect(spansOfAnswers(tokens, parts, (id) => vocabulary.get(id)?.length)).toEqual(
      reference.spans[name]![i],
    );
  }
});

/** The grids that a prompt asks for, those that it shows first. */
function answersOf(builder: PromptBuilder, task: Task, testIndex: number): string[] {
  const { train, test } = task;
  const others = test.filter((_, i) => i !== testIndex);
  const text = (grid: Grid) => builder.encoder.encode(grid);
  const outputs = [...train, test[testIndex]!].map(({ output }) => text(output!));
  switch (builder.kind.task) {
    case 'output-from-examples':
    case 'output-from-outputs':
      return outputs;
    case 'input-from-inputs':
      return [...train, ...others, test[testIndex]!].map(({ input }) => text(input));
    case 'output-from-code':
      return outputs.slice(-1);
    default:
      return [answerTo(builder.kind, task, testIndex) as string];
  }
}

describe.each([...promptKinds.values()])('every answer of $name', (kind) => {
  it('is found, in order, with no token more than it has a part in', () => {
    fc.assert(
      fc.property(
        tasks,
        fc.constantFrom(...tokenizers),
        fc.constantFrom(...encoders),
        (plain, tokenizer, encoder) => {
          const task = asked(kind, plain);
          const builder = new PromptBuilder({ tokenizer, encoder, kind });
          for (const testIndex of task.test.keys()) {
            const last = builder.training(task, testIndex);
            const { tokens, answers } = builder.training(task, testIndex, 'every');
            expect(tokens).toEqual(last.tokens);
            expect(last.answers).toEqual([[last.answerStart, tokens.length]]);
            expect(answers.at(-1)).toEqual(last.answers[0]);
            const expected = answersOf(builder, task, testIndex);
            expect(answers).toHaveLength(expected.length);
            let before = 1;
            for (const [i, [start, end]] of answers.entries()) {
              expect(start).toBeGreaterThanOrEqual(before);
              before = end;
              const isTurn = tokens[end - 1] === tokenizer.endOfTurnId;
              const text = (from: number, to: number) => tokenizer.decode(tokens.slice(from, to));
              const grid = expected[i]!;
              if (isTurn) {
                expect(text(start, end - 1)).toBe(grid);
                continue;
              }
              expect(text(start, end)).toContain(grid);
              expect(text(start + 1, end)).not.toContain(grid);
              expect(text(start, end - 1)).not.toContain(grid);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

const [task] = fc.sample(tasks, { seed: 4, numRuns: 1 }) as [Task];

it('is found where words repeat it: an example whose output is its input', () => {
  const same: Task = { train: [{ input: [[1]], output: [[1]] }], test: [{ input: [[1]], output: [[1]] }] };
  const kind = promptKinds.get('output-from-examples-mini')!;
  const builder = new PromptBuilder({ tokenizer: own, encoder: encoders[0]!, kind });
  const { tokens, answers } = builder.training(same, 0, 'every');
  const [first] = answers;
  expect(own.decode(tokens.slice(0, first![0]))).toBe('<|im_start|>user\n1\n>\n');
  expect(own.decode(tokens.slice(...first!))).toBe('1');
});

/** A kind whose earlier turns of the assistant are answers, too. */
const turns: PromptKind = {
  name: 'turns',
  task: 'output-from-examples',
  turns: ({ train = [], test = '', answer }: PromptGrids): ChatMessage[] => [
    ...train.flatMap(({ input, output }): ChatMessage[] => [
      { role: 'user', content: input },
      { role: 'assistant', content: output },
    ]),
    { role: 'user', content: test },
    { role: 'assistant', content: answer },
  ],
};

/** A tokenizer with another chat template. */
function saying(renderChat: ChatTokenizer['renderChat'], tokenizer = own): ChatTokenizer {
  return { ...tokenizer, renderChat };
}

describe('answers of turns', () => {
  it('have the tokens that a model writes, and their end of turn', () => {
    for (const tokenizer of tokenizers) {
      const builder = new PromptBuilder({ tokenizer, encoder: encoders[5]!, kind: turns });
      const { tokens, answers } = builder.training(task, 0, 'every');
      for (const [i, { output }] of [...task.train, task.test[0]!].entries()) {
        const [start, end] = answers[i]!;
        const alone = tokenizer.encode(builder.encoder.encode(output!));
        expect(tokens.slice(start, end)).toEqual([...alone, tokenizer.endOfTurnId]);
      }
      expect(tokenizer.decode(tokens.slice(0, answers.at(-1)![0]))).toBe(builder.text(task, 0));
    }
  });

  it('need no byte-level tokenizer, which those between words do', () => {
    const other: ChatTokenizer = { ...own, byteVocabulary: () => undefined };
    const builder = (kind: PromptKind) =>
      new PromptBuilder({ tokenizer: other, encoder: encoders[0]!, kind });
    expect(builder(turns).training(task, 0, 'every').answers).toHaveLength(task.train.length + 1);
    const words = promptKinds.get('output-from-examples-mini')!;
    expect(() => builder(words).training(task, 0, 'every')).toThrow(
      /^`lossOn: every-answer`: prompt kind "output-from-examples-mini" shows answers between words.*`lossOn: last-answer`$/,
    );
  });

  it('a template that takes the thinking out of earlier turns gives them as the last one is trained', () => {
    // as Qwen3's does: the last turn may have a block that earlier ones lose
    const tokenizer = saying((messages, { addGenerationPrompt }) => {
      const said = messages.map(({ role, content }, i) => {
        const isLast = i === messages.length - 1;
        const words = content.split('</think>').at(-1)!.trimStart();
        const block = role === 'assistant' && isLast ? '<think>\n\n</think>\n\n' : '';
        return `<|im_start|>${role}\n${block}${words}<|im_end|>\n`;
      });
      return said.join('') + (addGenerationPrompt ? '<|im_start|>assistant\n' : '');
    });
    const builder = new PromptBuilder({ tokenizer, encoder: encoders[0]!, kind: turns });
    const { tokens, answers } = builder.training(task, 0, 'every');
    for (const [start] of answers) {
      expect(tokenizer.decode(tokens.slice(0, start))).toMatch(/<\|im_start\|>assistant\n$/);
    }
  });

  it('are refused where the template ends earlier turns otherwise, or changes or hides grids', () => {
    const chat = (say: (role: string, content: string, isLast: boolean) => string) =>
      saying(
        (messages, { addGenerationPrompt }) =>
          messages
            .map(({ role, content }, i) =>
              say(role, content, !addGenerationPrompt && i === messages.length - 1),
            )
            .join('') + (addGenerationPrompt ? '<|im_start|>assistant\n' : ''),
      );
    const training = (tokenizer: ChatTokenizer) => () =>
      new PromptBuilder({ tokenizer, encoder: encoders[0]!, kind: turns }).training(task, 0, 'every');
    const open = chat(
      (role, content, isLast) => `<|im_start|>${role}\n${content}${isLast ? '<|im_end|>' : '\n'}`,
    );
    expect(training(open)).toThrow(
      /^`lossOn: every-answer`: expected the chat template to end every turn .* with "<\|im_end\|>", found "[^"]+" after an earlier one/,
    );
    // as Mistral's does: a space before what the assistant said, none where it is to say something
    const spaced = saying((messages) =>
      messages
        .map(({ role, content }) => (role === 'user' ? `[${content}]` : ` ${content}<|im_end|>`))
        .join(''),
    );
    expect(training(spaced)).toThrow(
      '`lossOn: every-answer`: expected the chat template to begin every turn of the assistant with "]", found "] " before an earlier one',
    );
    const hiding = chat((role, content, isLast) => (isLast ? `${role}\n${content}` : ''));
    expect(training(hiding)).toThrow('the chat template does not show every grid once');
    const changing = chat((role, content) => `${role}\n${content.replace(/^\d/, 'x')}<|im_end|>\n`);
    expect(training(changing)).toThrow('the chat template changes grids');
  });

  it('are refused where the tokenizer rewrites the text', () => {
    const [, qwen] = tokenizers as [ChatTokenizer, ChatTokenizer];
    const kind = promptKinds.get('output-from-examples-mini')!;
    // Qwen's normalizer composes a letter and an accent
    const encoder = parseGridEncoder("GridWithSeparationEncoder('e\u0301')");
    const wide: Task = {
      train: [{ input: [[1, 2]], output: [[3, 4]] }],
      test: [{ input: [[5]], output: [[6]] }],
    };
    const builder = new PromptBuilder({ tokenizer: qwen, encoder, kind });
    expect(() => builder.training(wide, 0)).not.toThrow();
    expect(() => builder.training(wide, 0, 'every')).toThrow(/rewrites the text; use another grid encoder/);
  });
});
