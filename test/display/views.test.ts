import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { identityAugmentation } from '../../src/arc/augmentation.js';
import type { Task } from '../../src/arc/types.js';
import { showTaskCards, showTasks } from '../../src/display/displayable.js';
import { showPrompt } from '../../src/display/prompt-view.js';
import { taskCards } from '../../src/display/report-gallery.js';
import { getPromptKind, loadTokenizer, PromptBuilder, parseGridEncoder } from '../../src/prompts/index.js';
import { assertWellFormed } from './xml.js';

const task: Task = {
  train: [{ input: [[1, 2]], output: [[3, 4]] }],
  test: [{ input: [[5, 6]], output: [[7, 8]] }],
};

test('a prompt is shown token by token, the answer underlined', () => {
  const tokenizer = loadTokenizer(fileURLToPath(new URL('../prompts/fixtures/own', import.meta.url)));
  const builder = new PromptBuilder({
    tokenizer,
    encoder: parseGridEncoder('MinimalGridEncoder()'),
    kind: getPromptKind('output-from-examples-v1'),
  });
  const { tokens, answerStart } = builder.training(task, 0);
  const { bundle } = showPrompt(builder, task);
  const html = bundle['text/html']!;
  expect(html.match(/border-right/g)).toHaveLength(tokens.length);
  expect(html.match(/underline/g)).toHaveLength(tokens.length - answerStart);
  expect(html).toContain(`answer: what the loss sees: ${tokens.length - answerStart} tokens`);
  expect(bundle['text/plain']).toContain(tokenizer.decode(tokens));
  // JupyterLab's own style for <pre> is break-all
  expect(html).toMatch(/<pre style="[^"]*word-break:normal;/);
});

test('several tasks, and predicted tasks, are pictures below each other', () => {
  const both = showTasks({ plain: task, 'colours changed': task });
  expect(both.bundle['text/html']!.match(/<svg/g)).toHaveLength(2);
  expect(both.bundle['text/html']).toContain('colours changed');
  assertWellFormed(`<div>${both.bundle['text/html']}</div>`);

  const predictions = [[[7, 8]], [[7, 0]]].map((grid) => ({
    taskId: 'a',
    testIndex: 0,
    grid,
    logProb: -1,
    tokens: 3,
    augmentation: identityAugmentation,
  }));
  const cards = taskCards(predictions, new Map([['a', task]]));
  const shown = showTaskCards(cards).bundle;
  expect(shown['text/html']!.match(/<svg/g)).toHaveLength(2);
  expect(shown['text/html']).toContain('✓ right');
  expect(shown['text/html']).toContain('50% of cells');
  // a test pair is drawn once, with its predictions: two grids of train, the input, the solution, two candidates
  expect(shown['text/html']).not.toContain('>test 1<');
  expect(shown['text/html']!.match(/<title>|aria-label/g)).toHaveLength(2);
  expect(shown['text/plain']!.match(/5 6/g)).toHaveLength(1);
});
