/** @file What a search has still to read, and what it has left below its threshold. */
import type { Node } from './answer-tree.js';

/** A node whose continuations are to be read. */
export interface OpenNode {
  readonly node: Node;
  /** Tokens after it that are known from a search before this one, as its end is; everything is new when absent. */
  readonly known?: readonly number[];
}

/** What a node has below the threshold. */
export interface Cut {
  readonly node: Node;
  /** Tokens after it, with the log-probability of the answer up to them. */
  readonly children: readonly (readonly [token: number, logProb: number])[];
  /** The log-probability of the answer that ends here; undefined where it was found. */
  readonly end: number | undefined;
  /** The tokens in `children` and those that were followed. */
  readonly known: readonly number[];
  /** No other token is more likely than this after the node. */
  readonly rest: number;
}

/** Where a search goes on with a lower threshold. It lives in memory, and belongs to the model and prompt. */
export interface Frontier {
  /** Nodes above the threshold that a limit has left unread. */
  readonly open: readonly OpenNode[];
  readonly cuts: readonly Cut[];
}
