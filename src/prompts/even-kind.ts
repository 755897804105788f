import type { PromptKind } from './prompt-kind.js';

/** As many tokens as a ChatML template puts between the last input and its output, those two not counted. */
const gap = '\n>\n>\n>\n>\n';

/**
 * Grids without a word, as in the mini kind, with every output as many tokens behind its input as the last one. A model
 * that finds cells by how far back they are then finds them alike for every example, and may learn from all of them.
 */
export const evenKind: PromptKind = {
  name: 'output-from-examples-even',
  task: 'output-from-examples',
  turns: ({ train = [], test = '', answer }) => [
    {
      role: 'user',
      content: [...train.map(({ input, output }) => `${input}${gap}${output}\n\n`), test].join(''),
    },
    { role: 'assistant', content: answer },
  ],
};
