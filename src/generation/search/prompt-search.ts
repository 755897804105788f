/** @file The search for the answers to one prompt: what was found, and where it was cut off. */
import type { Completion } from '../engine.js';
import { type AnswerTree, type Node, tokensOf } from './answer-tree.js';
import type { Continuations } from './continuations.js';
import type { Cut, Frontier, OpenNode } from './frontier.js';
import type { FoundAnswers } from './types.js';

/** Nats below the threshold at which single tokens are still kept; where the others begin, only their node is. */
const KEPT_BELOW = Math.log(1000);

/** What is searched, and how far down. */
interface SearchedPrompt {
  readonly prompt: readonly number[];
  readonly tree: AnswerTree;
  /** The logarithm of the threshold. */
  readonly floor: number;
  readonly decode: (tokens: readonly number[]) => string;
}

/** One prompt, the answers to it so far, and the branches that are left for later. */
export class PromptSearch {
  readonly prompt: readonly number[];
  readonly tree: AnswerTree;
  /** Tasks that wait or are worked on. */
  remaining = 0;
  reason: string | undefined;
  readonly answers: Completion[];
  readonly #floor: number;
  readonly #decode: SearchedPrompt['decode'];
  readonly #onAnswer: (answer: Completion) => void;
  readonly #before: Frontier | undefined;
  readonly #open: OpenNode[] = [];
  readonly #cuts: Cut[] = [];

  constructor(
    { prompt, tree, floor, decode }: SearchedPrompt,
    onAnswer: (answer: Completion) => void,
    before?: Pick<FoundAnswers, 'answers' | 'frontier'>,
  ) {
    this.prompt = prompt;
    this.tree = tree;
    this.#floor = floor;
    this.#decode = decode;
    this.#onAnswer = onAnswer;
    this.answers = [...(before?.answers ?? [])];
    this.#before = before?.frontier;
  }

  /** Where it begins, the last first: at the root, or where the search before it was cut off. */
  begin(): OpenNode[] {
    if (this.#before === undefined) return this.#settle(this.tree.root());
    const tasks = [...this.#before.open];
    for (const cut of this.#before.cuts) tasks.push(...this.#follow(cut));
    return tasks;
  }

  /** How likely a token after a node must be to be followed, in nats. */
  least({ node }: OpenNode): number {
    return this.#floor - node.logProb;
  }

  /** Follows what is above the threshold, the likeliest first, and keeps the rest for later. */
  expand({ node, known }: OpenNode, { tokens, logProbs, end, rest }: Continuations): OpenNode[] {
    const children: [token: number, logProb: number][] = [];
    let others = rest;
    for (const [i, token] of tokens.entries()) {
      if (known?.includes(token)) continue;
      const logProb = node.logProb + logProbs[i]!;
      if (logProb >= this.#floor - KEPT_BELOW) children.push([token, logProb]);
      else others = Math.max(others, logProbs[i]!);
    }
    return this.#follow({
      node,
      children,
      end: known === undefined && end > -Infinity ? node.logProb + end : undefined,
      known: [...(known ?? []), ...children.map(([token]) => token)],
      rest: others,
    });
  }

  /** Leaves a node for later. */
  postpone(open: OpenNode): void {
    this.#open.push(open);
  }

  result(): FoundAnswers {
    return {
      answers: [...this.answers].sort((a, b) => b.logProb - a.logProb),
      isComplete: this.#open.length === 0 && this.reason === undefined,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      frontier: { open: this.#open, cuts: this.#cuts },
    };
  }

  /** The tasks of a cut that are above the threshold; what is not stays cut. */
  #follow({ node, children, end, known, rest }: Cut): OpenNode[] {
    const isAbove = (logProb: number) => logProb >= this.#floor;
    const isEnd = end !== undefined && isAbove(end);
    if (isEnd) this.#found(tokensOf(node), end);
    const tasks = children
      .filter(([, logProb]) => isAbove(logProb))
      .flatMap(([token, logProb]) => {
        const step = this.tree.step(node, token);
        return step ? this.#settle({ ...step, parent: node, logProb }) : [];
      });
    const isUnread = rest >= this.least({ node });
    // its row of logits is gone: the node is read again for the tokens that were not kept
    if (isUnread) tasks.push({ node, known });
    const left = {
      node,
      children: children.filter(([, logProb]) => !isAbove(logProb)),
      end: isEnd ? undefined : end,
      known,
      rest: isUnread ? -Infinity : rest,
    };
    const isNothing = left.children.length === 0 && left.end === undefined && left.rest === -Infinity;
    if (!isNothing) this.#cuts.push(left);
    return tasks;
  }

  /** A node to be read, or as an answer where it is one. */
  #settle(node: Node): OpenNode[] {
    if (node.outcome === 'open') return [{ node }];
    if (node.outcome === 'complete') this.#found(tokensOf(node), node.logProb);
    return [];
  }

  #found(tokens: number[], logProb: number): void {
    const answer = { tokens, text: this.#decode(tokens), logProb, finished: true };
    this.answers.push(answer);
    this.#onAnswer(answer);
  }
}
