import type { Grid, Task } from '../arc/types.js';
import { spansOfAnswers, type TokenSpan } from './answer-spans.js';
import { AnswerSpanError, PromptKindError, PromptTaskError } from './errors.js';
import type { TextGrammar } from './grammar.js';
import type { GridEncoder } from './grid-encoder.js';
import {
  type FrameRun,
  fillMarks,
  type PromptFrame,
  promptFrame,
  rendererFor,
  stretchesOf,
} from './prompt-frame.js';
import type { ChatMessage, PromptKind } from './prompt-kind.js';
import { answerTo, mapShown, type PromptThing, shapeOf, shownBy, thingsShown } from './prompt-tasks.js';
import type { ChatTokenizer } from './tokenizer.js';

/** A prompt to answer. */
export interface InferencePrompt {
  /** Ends where the answer begins. */
  readonly tokens: number[];
}

/** A prompt with its answer. */
export interface TrainingPrompt {
  /** The inference prompt's tokens, the answer's, and the end of turn. */
  readonly tokens: number[];
  /** Where the last answer begins: `tokens.slice(0, answerStart)` is the inference prompt. */
  readonly answerStart: number;
  /**
   * The answers that were asked for, in order. The last one is always there; it has its end of turn, as every answer
   * that ends a turn of the assistant.
   */
  readonly answers: readonly TokenSpan[];
  /** The name of the prompt kind. */
  readonly kind: string;
}

/**
 * Which answers of a prompt are wanted: the one that it ends with, or also those that it shows, which are the outputs
 * of its examples, or every grid where it asks for one more of them.
 */
export type WantedAnswers = 'last' | 'every';

/** A part of a prompt's text, and the role that it belongs to. */
export interface PromptPart {
  readonly role: ChatMessage['role'] | 'template' | 'answer';
  readonly text: string;
}

/** How an answer goes on from the text before it. */
interface Join {
  /** Tokens between the two, which belong to the prompt. */
  readonly bridge: readonly number[];
  /** Whether the answer's tokens are those of a text that goes on. */
  readonly goesOn: boolean;
}

/** Turns tasks into tokens, and a model's answer into a grid. */
export class PromptBuilder {
  readonly tokenizer: ChatTokenizer;
  readonly encoder: GridEncoder;
  readonly kind: PromptKind;
  /** By the numbers of examples and of all that is shown. */
  readonly #frames = new Map<string, PromptFrame>();
  /** How the last answer, and how earlier ones, go on from the text before them, once that was asked for. */
  #joins: { readonly last: Join; readonly earlier: Join } | undefined;
  /** The bytes of each token, once they were asked for. */
  #vocabulary: ReadonlyMap<number, Uint8Array> | undefined;

  constructor(parts: { tokenizer: ChatTokenizer; encoder: GridEncoder; kind: PromptKind }) {
    this.tokenizer = parts.tokenizer;
    this.encoder = parts.encoder;
    this.kind = parts.kind;
  }

  /**
   * The prompt that asks for the answer of a test sample. When it asks for a new input or output, `testIndex` may
   * also be `task.test.length`: no test sample is then left out of the inputs that are shown.
   * @throws {PromptTaskError} when the task lacks what the prompt shows.
   */
  inference(task: Task, testIndex: number): InferencePrompt {
    return { tokens: this.#prompt(task, testIndex, 'last').tokens };
  }

  /**
   * The prompt with the answer of a test sample. The answer is tokenized on its own, as a model writes it, so
   * that no token spans the border whatever the tokenizer merges.
   * @throws {PromptTaskError} when the answer is not known or the task lacks what the prompt shows.
   * @throws {AnswerSpanError} when every answer is wanted and cannot be told from the tokens
   */
  training(task: Task, testIndex: number, wanted: WantedAnswers = 'last'): TrainingPrompt {
    const { tokens, answers } = this.#prompt(task, testIndex, wanted);
    const answer = this.answer(answerTo(this.kind, task, testIndex));
    const answerStart = tokens.length;
    for (const id of answer) tokens.push(id);
    answers.push([answerStart, tokens.length]);
    return { tokens, answerStart, answers, kind: this.kind.name };
  }

  /** The tokens of a grid, or of a text, as an answer, with the end of turn. */
  answer(answer: PromptThing): number[] {
    return [...this.#encode(this.#text(answer), this.#join().last), this.tokenizer.endOfTurnId];
  }

  /** The text of what is shown or asked for. @throws {PromptTaskError} when code has the end of an answer in it */
  #text(thing: PromptThing): string {
    if (typeof thing !== 'string') return this.encoder.encode(thing);
    const { stopIds, endOfTurnId } = this.tokenizer;
    const end = [endOfTurnId, ...stopIds]
      .map((id) => this.tokenizer.tokenText(id))
      .find((text) => text !== '' && thing.includes(text));
    if (end === undefined) return thing;
    throw new PromptTaskError(
      `Prompt kind "${this.kind.name}": expected code without what ends an answer, found ${JSON.stringify(end)} in it`,
    );
  }

  /** The tokens of an answer that goes on so from the text before it. */
  #encode(text: string, { goesOn }: Join): number[] {
    return goesOn ? this.tokenizer.encodeAfter(text) : this.tokenizer.encode(text);
  }

  /** How answers go on, from the text before the answer of a prompt with one sample. */
  #join(): { readonly last: Join; readonly earlier: Join } {
    if (this.#joins) return this.#joins;
    const { runs, bridge, leadIn } = promptFrame(this.kind, shapeOf(this.kind.task, 1), this.tokenizer);
    const cell = this.encoder.encode([[0]]);
    const before = runs.at(-1)!.pieces.map((piece) => (typeof piece === 'number' ? cell : piece));
    this.#joins = {
      last: joinOf(this.tokenizer, before.join(''), leadIn === '' ? bridge : '', cell),
      earlier: joinOf(this.tokenizer, before.join(''), '', cell),
    };
    return this.#joins;
  }

  /**
   * The most tokens that {@link training} can give: no token of a byte-level tokenizer is shorter than a byte.
   * Undefined for other tokenizers.
   */
  mostTokens(task: Task, testIndex: number): number | undefined {
    if (!this.tokenizer.byteVocabulary()) return undefined;
    const { texts: shown, frame } = this.#shown(task, testIndex);
    const texts = [frame.text, ...shown, this.#text(answerTo(this.kind, task, testIndex))];
    const endOfTurn = 1;
    const between = this.#join().last.bridge.length;
    return texts.reduce((sum, part) => sum + Buffer.byteLength(part), between + endOfTurn);
  }

  /**
   * The training prompt in parts that together are its text: the role of each part, `template` for what the
   * chat template adds, `answer` for the answer that it ends with.
   */
  parts(task: Task, testIndex: number): PromptPart[] {
    const { texts, frame } = this.#shown(task, testIndex);
    const { messages, leadIn, text } = frame;
    const parts: PromptPart[] = [];
    const add = (role: PromptPart['role'], marked: string) =>
      parts.push({ role, text: fillMarks(marked, texts) });
    let before = 0;
    for (const [i, [start, end]] of stretchesOf(text, messages).entries()) {
      add('template', text.slice(before, start));
      add(messages[i]!.role, text.slice(start, end));
      before = end;
    }
    add('template', text.slice(before, text.length - leadIn.length));
    add('assistant', leadIn);
    const answer = this.#text(answerTo(this.kind, task, testIndex));
    parts.push({ role: 'answer', text: answer + this.tokenizer.tokenText(this.tokenizer.endOfTurnId) });
    return parts.filter((part) => part.text !== '');
  }

  /** The text of the inference prompt. */
  text(task: Task, testIndex: number): string {
    const { texts, frame } = this.#shown(task, testIndex);
    return fillMarks(frame.text, texts);
  }

  /**
   * The task with as many of its train samples as fit: the last ones are left out until the prompt (with its
   * answer, for training) has at most `maxTokens` tokens. Null when not even one train sample fits.
   */
  fitTask(
    task: Task,
    testIndex: number,
    maxTokens: number,
    purpose: 'training' | 'inference' = 'training',
  ): Task | null {
    let shorter = task;
    while (this[purpose](shorter, testIndex).tokens.length > maxTokens) {
      if (shorter.train.length <= 1) return null;
      shorter = { ...shorter, train: shorter.train.slice(0, -1) };
    }
    return shorter;
  }

  /** The grid of a model's answer (without the end of turn). @throws {GridParseError} saying what is wrong. */
  parseAnswer(text: string): Grid {
    return this.encoder.decode(text);
  }

  /** The grammar of the answer, from where the inference prompt ends to the end of turn. */
  get answerGrammar(): TextGrammar {
    return this.encoder.grammar;
  }

  /** What is shown, as texts by their numbers, and the frame around them. */
  #shown(task: Task, testIndex: number): { texts: string[]; frame: PromptFrame } {
    const shown = mapShown(shownBy(this.kind, task, testIndex), (thing) => this.#text(thing));
    const texts = thingsShown(shown);
    const size = `${shown.train?.length} ${texts.length}`;
    const known = this.#frames.get(size);
    if (known) return { texts, frame: known };
    const frame = promptFrame(this.kind, shown, this.tokenizer);
    this.#assertPlain(frame, texts);
    this.#frames.set(size, frame);
    return { texts, frame };
  }

  /** @throws {PromptKindError} when the chat template writes other words around grids than around their marks */
  #assertPlain({ messages, leadIn, text, bridge }: PromptFrame, grids: readonly string[]): void {
    const filled = messages.map(({ role, content }) => ({ role, content: fillMarks(content, grids) }));
    const render = rendererFor(this.kind, this.tokenizer);
    const led = leadIn === '' ? '' : bridge + fillMarks(leadIn, grids);
    const whole = render(filled, { addGenerationPrompt: true }) + led;
    if (whole === fillMarks(text, grids)) return;
    throw new PromptKindError(
      `Prompt kind "${this.kind.name}": the chat template changes grids that are written by ` +
        `${this.encoder.expression}; use another grid encoder or prompt kind`,
    );
  }

  /** The tokens of the inference prompt, and where in it the wanted answers are. */
  #prompt(task: Task, testIndex: number, wanted: WantedAnswers): { tokens: number[]; answers: TokenSpan[] } {
    const { texts: shown, frame } = this.#shown(task, testIndex);
    if (wanted === 'every') assertAlike(frame);
    const tokens: number[] = [];
    const answers: TokenSpan[] = [];
    for (const [i, run] of frame.runs.entries()) {
      const texts = run.pieces.map((piece) => (typeof piece === 'number' ? shown[piece]! : piece));
      if (run.isTurn) for (const id of this.#join().earlier.bridge) tokens.push(id);
      const text = texts.join('');
      const ids = run.isTurn ? this.#encode(text, this.#join().earlier) : this.tokenizer.encode(text);
      if (wanted === 'every') {
        if (frame.runs[i - 1]?.isTurn) this.#assertEndsTurn(ids[0]);
        const found = run.isTurn ? [[0, ids.length + 1] as const] : this.#within(run, texts, ids, frame);
        for (const [start, end] of found) answers.push([tokens.length + start, tokens.length + end]);
      }
      for (const id of ids) tokens.push(id);
    }
    for (const id of this.#join().last.bridge) tokens.push(id);
    return { tokens, answers };
  }

  /** Where the answers are that a text shows between words. */
  #within(run: FrameRun, texts: readonly string[], ids: readonly number[], frame: PromptFrame): TokenSpan[] {
    const parts = run.pieces.map((piece, i) => ({
      text: texts[i]!,
      isAnswer: typeof piece === 'number' && frame.answers.has(piece),
    }));
    if (!parts.some(({ isAnswer }) => isAnswer)) return [];
    this.#vocabulary ??= this.tokenizer.byteVocabulary();
    const vocabulary = this.#vocabulary;
    if (!vocabulary) {
      throw new AnswerSpanError(
        `\`lossOn: every-answer\`: prompt kind "${this.kind.name}" shows answers between words, where only the ` +
          'tokens of a byte-level BPE tokenizer (Qwen2, Llama 3, SmolLM2) say where they are; use `lossOn: last-answer`',
      );
    }
    return spansOfAnswers(ids, parts, (id) => vocabulary.get(id)?.length);
  }

  /** @throws {AnswerSpanError} when an earlier turn of the assistant ends otherwise than the last */
  #assertEndsTurn(id: number | undefined): void {
    if (id === this.tokenizer.endOfTurnId) return;
    const text = (token: number | undefined) =>
      token === undefined ? 'nothing' : JSON.stringify(this.tokenizer.tokenText(token));
    throw new AnswerSpanError(
      `\`lossOn: every-answer\`: expected the chat template to end every turn of the assistant with ` +
        `${text(this.tokenizer.endOfTurnId)}, found ${text(id)} after an earlier one; use \`lossOn: last-answer\``,
    );
  }
}

/** @throws {AnswerSpanError} when the chat template begins earlier turns of the assistant otherwise than the last */
function assertAlike({ beforeAnswers: { earlier, last } }: PromptFrame): void {
  const other = earlier.find((text) => text !== last);
  if (other === undefined) return;
  throw new AnswerSpanError(
    '`lossOn: every-answer`: expected the chat template to begin every turn of the assistant with ' +
      `${JSON.stringify(last)}, found ${JSON.stringify(other)} before an earlier one; use \`lossOn: last-answer\``,
  );
}

/**
 * How an answer goes on from a text: where a tokenizer begins every text with a space (sentencepiece), or a template
 * writes something before the assistant's words, the tokens that a whole conversation has there belong to the prompt,
 * so that the answer is the same tokens after every prompt.
 * @param bridge what a conversation has between text and answer
 * @param answer any one
 */
function joinOf(
  tokenizer: Pick<ChatTokenizer, 'encode' | 'encodeAfter' | 'prependsSpace'>,
  text: string,
  bridge: string,
  answer: string,
): Join {
  const apart: Join = { bridge: [], goesOn: false };
  if (!tokenizer.prependsSpace && bridge === '') return apart;
  const before = tokenizer.encode(text);
  const whole = tokenizer.encode(text + bridge + answer);
  const after = tokenizer.encodeAfter(answer);
  const cut = whole.length - after.length;
  const isCut =
    cut >= before.length &&
    before.every((id, i) => id === whole[i]) &&
    after.every((id, i) => id === whole[cut + i]);
  return isCut ? { bridge: whole.slice(before.length, cut), goesOn: true } : apart;
}
