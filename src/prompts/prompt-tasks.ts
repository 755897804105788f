/** @file What each prompt task shows of an ARC task, what it asks for, and what follows from that elsewhere. */
import type { Grid, Task, TestSample } from '../arc/types.js';
import { PromptTaskError } from './errors.js';
import type { PromptKind, PromptTask, Shown } from './prompt-kind.js';

/** A grid, or a text that is written as it is: code, or the choice among candidates. */
export type PromptThing = Grid | string;

interface Form {
  /** The samples that a prompt shows beside the test sample that it asks about. */
  readonly samples: 'train' | 'none' | 'train and other tests';
  /** What an answer is. */
  readonly answer: 'output' | 'input' | 'code' | 'verdict' | 'number';
  /** It shows the task's code, or asks for it. */
  readonly code?: true;
  /** How many candidates it shows: one, or several to choose from. */
  readonly candidates?: 'one' | 'several';
}

const forms: Readonly<Record<PromptTask, Form>> = {
  'output-from-examples': { samples: 'train', answer: 'output' },
  'input-from-inputs': { samples: 'train and other tests', answer: 'input' },
  'output-from-outputs': { samples: 'train', answer: 'output' },
  'code-from-examples': { samples: 'train', answer: 'code', code: true },
  'output-from-code': { samples: 'none', answer: 'output', code: true },
  'verify-output-from-examples': { samples: 'train', answer: 'verdict', candidates: 'one' },
  'select-output-from-examples': { samples: 'train', answer: 'number', candidates: 'several' },
};

/** The answers to a prompt that shows one candidate: it is right, or it is not. */
export const verdicts = ['yes', 'no'] as const;

/** The answer that is the number of a candidate, from 0. */
const choiceOf = (candidate: number): string => String(candidate + 1);

/** Whether a prompt has code in it, which no augmentation of grids follows, and any token may be part of. */
export const hasCode = (asked: PromptTask): boolean => forms[asked].code === true;

/** Which samples its prompts show beside the test sample. */
export const samplesOf = (asked: PromptTask): Form['samples'] => forms[asked].samples;

/** How many candidates its prompts show. */
export const candidatesOf = (asked: PromptTask): Form['candidates'] => forms[asked].candidates;

/** Whether the answer is a grid of the test sample. */
export const asksForGrid = (asked: PromptTask): boolean => ['output', 'input'].includes(forms[asked].answer);

/** Whether a prompt is about a test sample, and not about the whole task. */
export const isAboutTest = (asked: PromptTask): boolean => forms[asked].answer !== 'code';

/** Whether the outputs of test samples have to be known to train on such prompts. */
export const needsOutputs = (asked: PromptTask): boolean => !['input', 'code'].includes(forms[asked].answer);

/** The words that an answer may be, where it is one of a few. */
export function answerWords(asked: PromptTask, candidates: number): readonly string[] {
  if (forms[asked].answer === 'verdict') return verdicts;
  return forms[asked].answer === 'number' ? Array.from({ length: candidates }, (_, i) => choiceOf(i)) : [];
}

/** The samples that a prompt shows beside the test sample that it asks for. */
export function samplesShown(asked: PromptTask, task: Task, testIndex: number): readonly TestSample[] {
  const { samples } = forms[asked];
  // other test outputs stay hidden: in a challenge nobody knows them
  if (samples === 'train') return task.train;
  return samples === 'none' ? [] : [...task.train, ...task.test.filter((_, i) => i !== testIndex)];
}

/** What a prompt shows of a task. @throws {PromptTaskError} when the task lacks it */
export function shownBy(
  { name, task: asked }: PromptKind,
  task: Task,
  testIndex: number,
): Shown<PromptThing> {
  const samples = samplesShown(asked, task, testIndex);
  if (asked === 'output-from-outputs') return { outputs: samples.map(({ output }) => output!) };
  if (asked === 'input-from-inputs') return { inputs: samples.map(({ input }) => input) };
  const train = samples.map(({ input, output }) => ({ input, output: output! }));
  if (asked === 'code-from-examples') return { train };
  const test = task.test[testIndex];
  if (!test) {
    const found = `found ${task.test.length} test samples`;
    throw new PromptTaskError(`Prompt kind "${name}" needs test sample ${testIndex}, ${found}`);
  }
  if (asked === 'output-from-code') return { test: test.input, code: codeOf(name, task) };
  const { input, candidates = [] } = test;
  if (asked === 'output-from-examples') return { train, test: input };
  const isOne = forms[asked].candidates === 'one';
  if (isOne ? candidates.length !== 1 : candidates.length < 2) {
    throw new PromptTaskError(
      `Prompt kind "${name}" needs ${isOne ? 'one candidate' : 'two candidates or more'} for the output of test ` +
        `sample ${testIndex}, found ${candidates.length}`,
    );
  }
  return { train, test: input, ...(isOne ? { candidate: candidates[0]! } : { candidates }) };
}

/** The answer to a prompt. @throws {PromptTaskError} when it is not known */
export function answerTo({ name, task: asked }: PromptKind, task: Task, testIndex: number): PromptThing {
  const { answer } = forms[asked];
  if (answer === 'code') return codeOf(name, task);
  const sample = task.test[testIndex];
  const part = answer === 'input' ? 'input' : 'output';
  const grid = sample?.[part];
  if (!grid) {
    const found = sample ? `no known ${part}` : `none (the task has ${task.test.length})`;
    throw new PromptTaskError(
      `Prompt kind "${name}" needs the ${part} of test sample ${testIndex}, found ${found}`,
    );
  }
  if (answer === 'output' || answer === 'input') return grid;
  const isRight = (candidate: Grid) => JSON.stringify(candidate) === JSON.stringify(grid);
  const right = (sample.candidates ?? []).flatMap((candidate, i) => (isRight(candidate) ? [i] : []));
  if (answer === 'verdict') return verdicts[right.length > 0 ? 0 : 1];
  if (right.length === 1) return choiceOf(right[0]!);
  throw new PromptTaskError(
    `Prompt kind "${name}" needs one right output among the candidates for test sample ${testIndex}, found ` +
      `${right.length}`,
  );
}

function codeOf(name: string, { code }: Task): string {
  // chat templates take away what is blank around a message
  const text = code?.trim();
  if (text) return text;
  throw new PromptTaskError(`Prompt kind "${name}" needs the code of the task, found none`);
}

/** What prompts show that have so many samples, and candidates where they show several. */
export function shapeOf(asked: PromptTask, samples: number, candidates = 2): Shown<null> {
  const list = (length: number) => new Array<null>(length).fill(null);
  if (asked === 'output-from-outputs') return { outputs: list(samples) };
  if (asked === 'input-from-inputs') return { inputs: list(samples) };
  if (asked === 'output-from-code') return { test: null, code: null };
  const train = list(samples).map(() => ({ input: null, output: null }));
  if (asked === 'code-from-examples') return { train };
  const number = forms[asked].candidates;
  return {
    train,
    test: null,
    ...(number === 'one' ? { candidate: null } : number ? { candidates: list(candidates) } : {}),
  };
}

/** What is shown, each thing changed, with its number in the order of the parts. */
export function mapShown<T, U>(shown: Shown<T>, change: (thing: T, number: number) => U): Shown<U> {
  let next = 0;
  const one = (thing: T) => change(thing, next++);
  const { train, test, inputs, outputs, code, candidate, candidates } = shown;
  return {
    ...(train
      ? { train: train.map(({ input, output }) => ({ input: one(input), output: one(output) })) }
      : {}),
    ...(test === undefined ? {} : { test: one(test) }),
    ...(inputs ? { inputs: inputs.map(one) } : {}),
    ...(outputs ? { outputs: outputs.map(one) } : {}),
    ...(code === undefined ? {} : { code: one(code) }),
    ...(candidate === undefined ? {} : { candidate: one(candidate) }),
    ...(candidates ? { candidates: candidates.map(one) } : {}),
  };
}

/** The things that are shown, in their order. */
export function thingsShown<T>(shown: Shown<T>): T[] {
  const things: T[] = [];
  mapShown(shown, (thing) => things.push(thing));
  return things;
}

/** The numbers of the things that are what a prompt asks for: outputs of examples, or all where it asks for one more. */
export function answersShown(asked: PromptTask, shown: Shown<unknown>): number[] {
  const { length } = thingsShown(shown);
  const isAnswer = (number: number) =>
    asked === 'output-from-examples'
      ? number % 2 === 1
      : ['input-from-inputs', 'output-from-outputs'].includes(asked);
  return Array.from({ length }, (_, i) => i).filter(isAnswer);
}
