/** @file Guessed continuations of an answer, which one forward pass verifies: they save passes and change no result. */
import type { AnswerTree, Node, Step } from './answer-tree.js';
import { tokensOf } from './answer-tree.js';

/** Steps that may follow a node. */
export interface Guess {
  readonly steps: readonly Step[];
  /** The rest of a whole answer: followed wherever it is above the threshold, not only where it is the likeliest. */
  readonly isAnswer: boolean;
}

/** What guesses are made of. */
export interface Hints {
  /** Whole answers that are likely, the best first, as tokens. */
  readonly answers: readonly (readonly number[])[];
  /** The last answer that was found. */
  readonly last: readonly number[] | undefined;
  /** The grid that is asked about, written as an answer is. */
  readonly input: readonly number[];
  /** Whether a row of a grid ends with a token. */
  readonly isRowEnd: (token: number) => boolean;
}

/** Tokens of the past by which rules of drafts are judged. */
const MEMORY = 8;
/** How many of them a rule must have known. */
const LEAST_HITS = 6;
/** The steps of a draft: a wrong one costs rows of a forward pass, so that they double with each hit: 2, 4 or 8. */
const draftSteps = (hits: number) => 2 ** (hits - LEAST_HITS + 1);

/** A sequence of tokens cut into rows, each with the token that ends it. */
class Rows {
  readonly rows: number[][] = [[]];
  readonly #isRowEnd: Hints['isRowEnd'];

  constructor(tokens: readonly number[], isRowEnd: Hints['isRowEnd']) {
    this.#isRowEnd = isRowEnd;
    this.push(tokens);
  }

  push(tokens: readonly number[]): void {
    for (const token of tokens) {
      this.rows.at(-1)!.push(token);
      if (this.#isRowEnd(token)) this.rows.push([]);
    }
  }

  at(row: number, column: number): number | undefined {
    return this.rows[row]?.[column];
  }
}

/** Guesses what follows a node. */
export function guessAfter(tree: AnswerTree, node: Node, hints: Hints): Guess | null {
  const tokens = tokensOf(node);
  const answer = hints.answers.find((known) => known.length > tokens.length && beginsWith(known, tokens));
  if (answer) {
    const next = (written: number) => answer[written];
    return { steps: stepsOf(tree, node, tokens.length, next), isAnswer: true };
  }
  const likeliest = likeliestSource(tokens, hints);
  if (!likeliest) return null;
  const { rule, hits } = likeliest;
  const path = new Rows(tokens, hints.isRowEnd);
  const next = () => rule(path, path.rows.length - 1, path.rows.at(-1)!.length);
  const steps = stepsOf(tree, node, tokens.length, next, draftSteps(hits), (step) => path.push(step.tokens));
  return { steps, isAnswer: false };
}

/** The token that a rule expects in a row and column of an answer that is written so far. */
type GuessRule = (path: Rows, row: number, column: number) => number | undefined;

/** The rule that would have known the most of the last tokens: the row above, the last answer, the input. */
function likeliestSource(
  tokens: readonly number[],
  { last: answer, input, isRowEnd }: Hints,
): { rule: GuessRule; hits: number } | null {
  const aligned =
    (rows: Rows): GuessRule =>
    (_, row, column) =>
      rows.at(row, column);
  const rules: GuessRule[] = [(path, row, column) => path.at(row - 1, column)];
  for (const known of [answer, input]) {
    if (known && known.length > 0) rules.push(aligned(new Rows(known, isRowEnd)));
  }
  const path = new Rows(tokens, isRowEnd);
  const places = path.rows.flatMap((row, i) => row.map((token, column) => ({ row: i, column, token })));
  const last = places.slice(-MEMORY);
  let best: { rule: GuessRule; hits: number } | null = null;
  for (const rule of rules) {
    const hits = last.filter(({ row, column, token }) => rule(path, row, column) === token).length;
    if (hits >= LEAST_HITS && hits > (best?.hits ?? 0)) best = { rule, hits };
  }
  return best;
}

/** The open steps that guessed tokens take: as far as the grammar allows them. */
function stepsOf(
  tree: AnswerTree,
  node: Node,
  length: number,
  next: (written: number) => number | undefined,
  most = Number.POSITIVE_INFINITY,
  onStep: (step: Step) => void = () => {},
): Step[] {
  const steps: Step[] = [];
  let at: Step = node;
  for (let written = length; steps.length < most; ) {
    const token = next(written);
    const step = token === undefined ? undefined : tree.step(at, token);
    // nothing is read after the last token of an answer
    if (step?.outcome !== 'open') break;
    steps.push(step);
    onStep(step);
    written += step.tokens.length;
    at = step;
  }
  return steps;
}

function beginsWith(sequence: readonly number[], beginning: readonly number[]): boolean {
  return beginning.every((token, i) => sequence[i] === token);
}
