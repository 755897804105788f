import { setImmediate as turn } from 'node:timers/promises';
import type { Decoder } from '../models/decoder.js';
import { KvCache } from '../models/kv-cache.js';
import { advisingOnMemory } from '../tensors/memory-advice.js';
import * as tf from '../tensors/tf.js';
import { AnswerNode, branches, type FedToken } from './answer-trie.js';
import type { TokenGrammar } from './constraint.js';
import { RowScores, rowsOf } from './row-scores.js';
import { commonPrefix } from './slot.js';

/*
 * How likely a model finds answers that are given:
 * - a lane is a slot of the key-value cache and reads one prompt, once; the answers to it are fed one after the
 *   other, each from where it leaves the beginning that it shares with the one before (depth first through the
 *   trie of the answers), over what that left in the slot;
 * - every pass feeds what all lanes have to be fed next, so that prompts and answers of many views and test inputs
 *   share it;
 * - where an answer leaves others, the row that was fed before it has the probability of every way on.
 */

/** A prompt and the answers to it that are scored. */
export interface ScoringRequest {
  /** Ends where the answers begin; at least one token. */
  readonly prompt: readonly number[];
  /** Each with the token that ends it. */
  readonly answers: readonly (readonly number[])[];
}

/** How likely a model finds an answer. */
export interface AnswerScore {
  /** Sum over the answer's tokens, the one that ends it included, in nats; NaN where the numbers are not finite. */
  readonly logProb: number;
  readonly tokens: number;
}

/** What scoring has done so far. */
export interface ScoringProgress {
  /** Answers, and how many there are. */
  finished: number;
  total: number;
  /** Tokens that were fed, of prompts and of answers. */
  tokens: number;
  /** Forward passes. */
  passes: number;
}

/** Tokens that the cache has room for, in tokens of a pass: its bytes are then about those of a pass's hidden states. */
export const CACHED = 4;

/** Logits held at a time, in floats. */
const LOGITS = 1 << 25;

/** A request as a trie of its answers. */
interface Asked {
  readonly prompt: readonly number[];
  readonly root: AnswerNode;
  readonly answers: readonly AnswerNode[][];
}

/** A token of a pass: those of a prompt but its last tell nothing. */
type Pending = Omit<FedToken, 'node'> & { readonly node?: AnswerNode };

/** A slot of the cache, and what is read in it. */
class Lane {
  /** The tokens whose keys and values are in the slot. */
  cached: number[] = [];
  pending: Pending[] = [];
  asked: Asked | undefined;
  branches: (readonly FedToken[])[] = [];

  constructor(readonly index: number) {}
}

/** The scoring of one group of requests. */
export class Scoring {
  readonly #decoder: Decoder;
  readonly #stopIds: readonly number[];
  readonly #grammar: TokenGrammar | undefined;
  readonly #maxTokens: number;
  readonly #progress: ScoringProgress;
  readonly #scores: RowScores;

  constructor(
    decoder: Decoder,
    stopIds: readonly number[],
    grammar: TokenGrammar | undefined,
    maxTokens: number,
    progress: ScoringProgress,
  ) {
    this.#decoder = decoder;
    this.#stopIds = stopIds;
    this.#grammar = grammar;
    this.#maxTokens = maxTokens;
    this.#progress = progress;
    this.#scores = new RowScores(decoder.cut);
  }

  async run(
    requests: readonly ScoringRequest[],
    onPass: () => void,
    signal: AbortSignal | undefined,
  ): Promise<AnswerScore[][]> {
    const asked = requests.map((request) => this.#ask(request));
    const maxLength = Math.max(...requests.map(longest));
    const room = Math.floor((CACHED * this.#maxTokens) / maxLength);
    const slots = Math.max(1, Math.min(requests.length, room));
    const { config, keptType: floatType } = this.#decoder;
    const within = <T>(f: () => T) =>
      advisingOnMemory(
        f,
        () => `${slots} prompts with their answers, of up to ${maxLength} tokens, at the same time`,
        () => [`a lower \`maxTokensPerBatch\` (${this.#maxTokens} now)`],
      );
    const cache = within(() => new KvCache(config, { slots, maxLength, floatType }));
    try {
      const lanes = Array.from({ length: slots }, (_, index) => new Lane(index));
      const waiting = [...asked];
      for (;;) {
        signal?.throwIfAborted();
        for (const lane of lanes) this.#fill(lane, waiting);
        if ((await this.#pass(lanes, cache, within)) === 0) break;
        onPass();
        await turn(); // lets signals be handled
      }
    } finally {
      cache.dispose();
    }
    return asked.map(({ answers }) =>
      answers.map((nodes) => ({
        logProb: nodes.reduce((sum, { logProb = Number.NaN }) => sum + logProb, 0),
        tokens: nodes.length,
      })),
    );
  }

  #ask({ prompt, answers }: ScoringRequest): Asked {
    if (prompt.length === 0) throw new RangeError('a prompt needs at least one token');
    const root = new AnswerNode();
    const nodes = answers.map((answer) => root.add(answer));
    if (this.#grammar) follow(root, this.#grammar.initial, this.#grammar);
    return { prompt, root, answers: nodes };
  }

  /** Gives a lane that has fed everything what it has to be fed next: another answer, or the next request. */
  #fill(lane: Lane, waiting: Asked[]): void {
    while (lane.pending.length === 0) {
      const branch = lane.branches.shift();
      if (branch !== undefined) lane.pending = pendingOf(lane, branch);
      else {
        this.#progress.finished += lane.asked?.answers.length ?? 0;
        lane.asked = waiting.shift();
        if (lane.asked === undefined) return;
        lane.branches = branches(lane.asked.root);
      }
    }
  }

  /** One forward pass over what the lanes have to be fed. @returns how many tokens that were */
  async #pass(lanes: readonly Lane[], cache: KvCache, within: <T>(f: () => T) => T): Promise<number> {
    const tokens: number[] = [];
    const slots: number[] = [];
    const positions: number[] = [];
    const told: { row: number; node: AnswerNode; lane: Lane }[] = [];
    // answers before prompts: a lane goes on when its answer is fed
    for (const lane of [...lanes].sort((a, b) => a.pending.length - b.pending.length)) {
      for (const { token, node } of lane.pending.splice(0, this.#maxTokens - tokens.length)) {
        if (node) told.push({ row: tokens.length, node, lane });
        tokens.push(token);
        slots.push(lane.index);
        positions.push(lane.cached.length);
        lane.cached.push(token);
      }
    }
    if (tokens.length === 0) return 0;
    const hidden = within(() =>
      this.#decoder.forwardCached(
        Int32Array.from(tokens),
        Int32Array.from(slots),
        Int32Array.from(positions),
        cache,
        told.map(({ row }) => row),
      ),
    );
    try {
      await within(() => this.#read(hidden, told));
    } finally {
      hidden.dispose();
    }
    const lost = new Set(told.filter(({ node }) => isLost(node)).map(({ lane }) => lane));
    for (const lane of lost) {
      // what masks hide is multiplied by 0, and 0 · NaN is NaN: nothing may stay, and the prompt is read again
      cache.clearSlot(lane.index, lane.cached.length);
      lane.cached = [];
      lane.pending = [];
    }
    this.#progress.tokens += tokens.length;
    this.#progress.passes += 1;
    return tokens.length;
  }

  /** Gives the children of nodes their log-probabilities, from the hidden states of the rows that fed the nodes. */
  async #read(hidden: tf.Tensor2D, told: readonly { row: number; node: AnswerNode }[]): Promise<void> {
    const asked = told.map(({ row, node }) => ({ row, node, ids: this.#columns(node) }));
    // after a token that the grammar does not allow nothing is known
    for (const { node, ids } of asked)
      if (ids.length === 0) this.#settle(node, ids, new Float32Array(0), Number.NaN);
    const known = asked.filter(({ ids }) => ids.length > 0);
    const step = Math.max(1, Math.floor(LOGITS / this.#decoder.head.weight.shape[0]));
    for (let start = 0; start < known.length; start += step) {
      const some = known.slice(start, start + step);
      const rows = some.map(({ row }) => row);
      const logits = tf.tidy(() => this.#decoder.logits(rowsOf(hidden, rows)));
      const lists = some.map(({ ids }) => ids);
      const scores = await this.#scores.ofTokens(logits, lists).finally(() => logits.dispose());
      for (const [i, { node, ids }] of some.entries()) {
        this.#settle(node, ids, scores[i]!.subarray(0, ids.length), scores[i]!.at(-1)!);
      }
    }
  }

  /** The tokens whose logits a node has to know. */
  #columns(node: AnswerNode): Int32Array {
    if (this.#grammar) return node.state ? this.#grammar.continuations(node.state).tokens : new Int32Array(0);
    const ids = [...node.children].flatMap(([token, child]) =>
      this.#isEnd(token, child) ? this.#stopIds : [token],
    );
    return Int32Array.from(ids);
  }

  /** @param logSumExp of all logits of the row, of which `logits` are those of the tokens `ids` */
  #settle(node: AnswerNode, ids: Int32Array, logits: Float32Array, logSumExp: number): void {
    const logits64 = Float64Array.from(logits);
    // one infinity or NaN in the row is in the sum
    const total = this.#grammar && Number.isFinite(logSumExp) ? logSumExpOf(logits64) : logSumExp;
    const logProbOf = (token: number) => {
      const at = ids.indexOf(token);
      return at < 0 ? Number.NaN : logits64[at]! - total;
    };
    for (const [token, child] of node.children) {
      const tokens = this.#isEnd(token, child) ? this.#stopIds : [token];
      const logProb = Math.max(...tokens.map(logProbOf));
      child.logProb = Number.isFinite(logProb) ? logProb : Number.NaN;
    }
  }

  /** Whether any of the tokens that end an answer counts: the most likely one, which greedy decoding takes. */
  #isEnd(token: number, { children }: AnswerNode): boolean {
    return children.size === 0 && this.#stopIds.includes(token);
  }
}

/** What has to be fed for a branch: nothing where a part of it is lost. */
function pendingOf(lane: Lane, branch: readonly FedToken[]): Pending[] {
  const { prompt, root } = lane.asked!;
  if (branch.some(({ node }) => Number.isNaN(node.logProb))) return [];
  const sequence = [...prompt, ...branch.map(({ token }) => token)];
  // the answers begin from the row of the prompt's last token, which is therefore fed in any case
  const isTold = [...root.children.values()].some(({ logProb }) => logProb !== undefined);
  const most = isTold ? sequence.length : prompt.length - 1;
  const shared = Math.min(most, commonPrefix(lane.cached, sequence));
  lane.cached.length = shared;
  return sequence.slice(shared).map((token, i) => {
    const at = shared + i - prompt.length;
    const node = at === -1 ? root : branch[at]?.node;
    return node ? { token, node } : { token };
  });
}

/** Notes where a grammar is after each token; nowhere after one that it does not allow. */
function follow(node: AnswerNode, state: object, grammar: TokenGrammar): void {
  node.state = state;
  for (const [token, child] of node.children) {
    const after = child.children.size > 0 && grammar.continuations(state).states.get(token);
    if (after) follow(child, after, grammar);
  }
}

const isLost = ({ children }: AnswerNode): boolean =>
  [...children.values()].some(({ logProb }) => Number.isNaN(logProb));

function logSumExpOf(values: Float64Array): number {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** Positions that a prompt takes with its longest answer, whose last token is not fed. */
export function longest({ prompt, answers }: ScoringRequest): number {
  return prompt.length + answers.reduce((most, { length }) => Math.max(most, length - 1), 0);
}
