/** Prompts that show code, ask for code, or have candidates judged. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import {
  getPromptKind,
  kindsOfCut,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  promptVocabulary,
} from '../../src/prompts/index.js';

const tokenizer = loadTokenizer(fileURLToPath(new URL('fixtures/own', import.meta.url)));
const encoder = parseGridEncoder('MinimalGridEncoder()');
const line = (...cells: number[]): Grid => [cells];
const task: Task = {
  train: [{ input: line(1, 2), output: line(2, 1) }],
  test: [{ input: line(5, 6), output: line(6, 5) }],
  code: '\ndef solve(grid):\n    return [row[::-1] for row in grid]\n',
};
const withCandidates = (...candidates: Grid[]): Task => ({
  ...task,
  test: [{ ...task.test[0]!, candidates }],
});
const builder = (kind: string) => new PromptBuilder({ tokenizer, encoder, kind: getPromptKind(kind) });
/** What the user and the assistant say. */
const said = (kind: string, about: Task) =>
  builder(kind)
    .parts(about, 0)
    .flatMap(({ role, text }) => (role === 'template' || role === 'system' ? [] : [[role, text]]));

describe('what is said', () => {
  it('with code that is asked for: examples alone, and code without blanks around it', () => {
    expect(said('code-from-examples-v0', task)).toEqual([
      [
        'user',
        'Find the rule in these examples and write it as code.\n\n## Example 1\n\n### Input\n\n12\n\n### Output\n\n21',
      ],
      ['assistant', '## Code\n\n'],
      ['answer', 'def solve(grid):\n    return [row[::-1] for row in grid]<|im_end|>'],
    ]);
    const hidden = { ...task, test: [{ input: line(7) }] };
    expect(builder('code-from-examples-v0').training(hidden, 0).tokens).toEqual(
      builder('code-from-examples-v0').training(task, 0).tokens,
    );
  });

  it('with code that is given: the code and the input, and no example', () => {
    expect(said('output-from-code-v0', task)).toEqual([
      [
        'user',
        'Write the output of this program for the input.\n\n## Code\n\n' +
          'def solve(grid):\n    return [row[::-1] for row in grid]\n\n## Input\n\n56',
      ],
      ['assistant', '## Output\n\n'],
      ['answer', '65<|im_end|>'],
    ]);
  });

  it('of a candidate: whether it is right', () => {
    const examples =
      '\n\n## Example 1\n\n### Input\n\n12\n\n### Output\n\n21\n\n## Test\n\n### Input\n\n56\n\n';
    expect(said('verify-output-from-examples-v0', withCandidates(line(6, 5)))).toEqual([
      [
        'user',
        `Find the rule in these examples and judge the proposed output of the test input.${examples}` +
          '### Proposed output\n\n65',
      ],
      ['assistant', '### Is it right?\n\n'],
      ['answer', 'yes<|im_end|>'],
    ]);
    expect(said('verify-output-from-examples-v0', withCandidates(line(5, 5))).at(-1)).toEqual([
      'answer',
      'no<|im_end|>',
    ]);
  });

  it('of several candidates: which one is right', () => {
    const three = withCandidates(line(5, 5), line(6, 5), line(6));
    const turns = said('select-output-from-examples-v0', three);
    expect(turns[0]![1]).toContain(
      '### Proposed output 1\n\n55\n\n### Proposed output 2\n\n65\n\n### Proposed output 3\n\n6',
    );
    expect(turns.at(-1)).toEqual(['answer', '2<|im_end|>']);
  });
});

describe('what is missing is said', () => {
  it.each([
    ['output-from-code-v0', { ...task, code: ' ' }, 'needs the code of the task, found none'],
    [
      'code-from-examples-v0',
      { ...task, code: 'a <|im_end|> b' },
      'expected code without what ends an answer',
    ],
    ['verify-output-from-examples-v0', task, 'needs one candidate for the output of test sample 0, found 0'],
    ['select-output-from-examples-v0', withCandidates(line(1)), 'needs two candidates or more'],
    ['select-output-from-examples-v0', withCandidates(line(1), line(2)), 'needs one right output among'],
    ['verify-output-from-examples-v0', { ...task, test: [] }, 'needs test sample 0, found 0'],
  ] as const)('%s', (kind, about, message) => {
    expect(() => builder(kind).training(about, 0)).toThrow(message);
  });
});

describe('a cut vocabulary', () => {
  it('does not hold code', () => {
    for (const name of ['code-from-examples-v0', 'output-from-code-v0']) {
      expect(() => promptVocabulary(tokenizer, encoder, kindsOfCut([name]))).toThrow(
        `expected prompt kinds of grids, found ${name}, whose code may have any token`,
      );
    }
  });

  it('is the same as without these kinds, unless they are asked for', () => {
    const plain = promptVocabulary(tokenizer, encoder);
    const judging = promptVocabulary(tokenizer, encoder, kindsOfCut(['verify-output-from-examples-v0']));
    const missing = (ids: Int32Array) => tokenizer.encode('yes').filter((id) => !ids.includes(id));
    expect(missing(judging)).toEqual([]);
    expect(judging.length).toBeGreaterThan(plain.length);
  });
});

describe('a template file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-later-kinds-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const answer = '{% set assistant %}{{ answer }}{% endset %}';

  it('says by `task` what it asks for', () => {
    const path = write(
      'code.jinja',
      `{% set task = 'output-from-code' %}{% set user %}{{ code }} of {{ test }}{% endset %}${answer}`,
    );
    expect(getPromptKind(path).task).toBe('output-from-code');
    expect(said(path, task)[0]).toEqual([
      'user',
      'def solve(grid):\n    return [row[::-1] for row in grid] of 56',
    ]);
  });

  it.each([
    ["{% set task = 'poem' %}", '{{ test }}', 'expected "task" to be one of output-from-examples, '],
    [
      "{% set task = 'output-from-code' %}",
      '{{ test }}',
      'expected it to show all that output-from-code asks',
    ],
    ["{% set task = 'output-from-code' %}", '{{ candidate }}', 'candidate is not set'],
    ['', '{{ code }}', 'code is not set'],
  ])('with %s and %s is refused', (task, user, message) => {
    const path = write('wrong.jinja', `${task}{% set user %}${user}{% endset %}${answer}`);
    expect(() => getPromptKind(path)).toThrow(message);
  });
});
