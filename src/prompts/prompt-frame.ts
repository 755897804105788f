import type { ChatRenderer } from './chat-template.js';
import { PromptKindError } from './errors.js';
import type { ChatMessage, PromptKind, Shown } from './prompt-kind.js';
import { answersShown, mapShown } from './prompt-tasks.js';
import type { ChatTokenizer } from './tokenizer.js';

/** A piece of a prompt: a text, or the number of a grid among those that the prompt shows. */
export type PromptPiece = string | number;

/** Text that is cut into tokens on its own. */
export interface FrameRun {
  readonly pieces: readonly PromptPiece[];
  /** It is an answer, and the assistant's turn ends with it. */
  readonly isTurn: boolean;
}

/** What a prompt says around its grids, and where each grid stands in it. */
export interface PromptFrame {
  /** Turns up to the assistant's last, with marks in the place of grids. */
  readonly messages: readonly ChatMessage[];
  /** What stands in the assistant's last turn before the answer; part of the prompt, never generated. */
  readonly leadIn: string;
  /** The text of the inference prompt, with marks in the place of grids. */
  readonly text: string;
  /**
   * The space that the chat template writes before the assistant's words in a conversation that has them, and not where
   * it asks for them. It is in `text` where there is a lead-in.
   */
  readonly bridge: string;
  /** The same in pieces, so that an answer within the conversation has the tokens that a model writes. */
  readonly runs: readonly FrameRun[];
  /** The numbers of the grids that are what the prompt asks for. */
  readonly answers: ReadonlySet<number>;
  /** What the chat template writes between a message and the assistant's next answer: `last` before the last one. */
  readonly beforeAnswers: { readonly earlier: readonly string[]; readonly last: string };
}

/** Where the words of each message are in the text of a chat: nowhere is an empty stretch. */
export function stretchesOf(text: string, messages: readonly ChatMessage[]): (readonly [number, number])[] {
  let end = 0;
  return messages.map(({ content }) => {
    const start = text.indexOf(content.trim(), end);
    if (start < 0) return [end, end];
    end = start + content.trim().length;
    return [start, end];
  });
}

/** Private use: no text of ours contains these. */
const answerMark = '\uE000';
const [markStart, markEnd] = ['\uE001', '\uE002'];
const mark = (grid: number): string => `${markStart}${grid}${markEnd}`;
const marks = new RegExp(`${markStart}(\\d+)${markEnd}`);
const allMarks = new RegExp(marks, 'g');

/** A text with marks, with the texts of the grids in their place. */
export function fillMarks(marked: string, grids: readonly string[]): string {
  return marked.replace(allMarks, (_, grid) => grids[Number(grid)]!);
}

/** A text with marks as texts and the numbers of grids. */
export function piecesOf(marked: string): PromptPiece[] {
  // with one group, the odd items are the numbers
  return marked.split(marks).map((piece, i) => (i % 2 === 1 ? Number(piece) : piece));
}

/** What writes the conversations of a kind. */
export function rendererFor(
  { plainTurns = false }: PromptKind,
  tokenizer: Pick<ChatTokenizer, 'renderChat' | 'renderTurns'>,
): ChatRenderer {
  return plainTurns ? tokenizer.renderTurns : tokenizer.renderChat;
}

/**
 * The frame of all prompts of a kind that show so much. The chat template sees marks instead of grids, which
 * says where each grid stands without looking for it in the text.
 * @throws {PromptKindError} when the turns do not end with the answer, or the chat template leaves grids out
 */
export function promptFrame(
  kind: PromptKind,
  shown: Shown<unknown>,
  tokenizer: Pick<ChatTokenizer, 'renderChat' | 'renderTurns'>,
): PromptFrame {
  const turns = kind.turns({ ...mapShown(shown, (_, i) => mark(i)), answer: answerMark });
  const messages = turns.slice(0, -1);
  const last = turns.at(-1);
  const [leadIn, rest, ...more] = last?.content.split(answerMark) ?? [];
  if (last?.role !== 'assistant' || leadIn === undefined || rest !== '' || more.length > 0) {
    throw new PromptKindError(
      `Prompt kind "${kind.name}": expected turns of which the last is the assistant's and ends with the answer`,
    );
  }
  const render = rendererFor(kind, tokenizer);
  const asked = render(messages, { addGenerationPrompt: true });
  const bridge = bridgeTo(leadIn + answerMark, asked, render(turns, { addGenerationPrompt: false }));
  const text = leadIn === '' ? asked : asked + bridge + leadIn;
  const pieces = piecesOf(text);
  const said = messages.flatMap(({ content }) => piecesOf(content));
  const grids = (list: readonly PromptPiece[]) => list.filter((piece) => typeof piece === 'number').join();
  if (grids(said) !== grids(pieces)) {
    throw new PromptKindError(
      `Prompt kind "${kind.name}": the chat template does not show every grid once and in the order of the turns`,
    );
  }
  const stretches = stretchesOf(text, messages);
  const endOf = (message: number) => stretches[message]?.[1] ?? 0;
  const beforeAnswers = {
    earlier: messages.flatMap(({ role }, i) =>
      role === 'assistant' ? [text.slice(endOf(i - 1), stretches[i]![0])] : [],
    ),
    last: text.slice(endOf(messages.length - 1), text.length - leadIn.length),
  };
  const answers = answersShown(kind.task, shown);
  const runs = runsOf(pieces, messages, answers);
  return {
    messages,
    leadIn,
    text,
    bridge,
    runs,
    answers: new Set(answers),
    beforeAnswers,
  };
}

/** The space that a whole conversation has between what is asked and the assistant's words, as Mistral's. */
function bridgeTo(words: string, asked: string, whole: string): string {
  const at = whole.startsWith(asked) ? whole.indexOf(words, asked.length) : -1;
  const bridge = at < 0 ? '' : whole.slice(asked.length, at);
  return bridge.trim() === '' ? bridge : '';
}

/** Cuts a prompt where an assistant's turn begins and ends its answer. */
function runsOf(
  pieces: readonly PromptPiece[],
  messages: readonly ChatMessage[],
  answers: readonly number[],
): FrameRun[] {
  const assistants = messages.filter(({ role }) => role === 'assistant');
  const turns = new Set(
    answers.filter((grid) => assistants.some(({ content }) => content.endsWith(mark(grid)))),
  );
  const runs: FrameRun[] = [];
  let run: PromptPiece[] = [];
  for (const piece of pieces) {
    if (typeof piece !== 'number' || !turns.has(piece)) {
      run.push(piece);
      continue;
    }
    runs.push({ pieces: run, isTurn: false }, { pieces: [piece], isTurn: true });
    run = [];
  }
  return [...runs, { pieces: run, isTurn: false }];
}
