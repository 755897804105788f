import type { PromptKind } from './prompt-kind.js';

/** Grids without words: the user's turns are inputs, the assistant's their outputs, and the last is asked for. */
export const bareKind: PromptKind = {
  name: 'output-from-examples-bare',
  task: 'output-from-examples',
  plainTurns: true,
  turns: ({ train = [], test = '', answer }) =>
    [...train, { input: test, output: answer }].flatMap(({ input, output }) => [
      { role: 'user', content: input },
      { role: 'assistant', content: output },
    ]),
};
