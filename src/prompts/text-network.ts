/** The nodes that a walk may be at after one more byte. */
type Transitions = Map<number, number[]>;

/**
 * A set of texts as a graph: an edge writes a text on the way from one node to another, and a walk along edges
 * writes theirs one after the other. It answers whether bytes can occur within what a walk writes. Every node is
 * taken to lie on a walk.
 */
export class TextNetwork {
  /** By node; nodes within the texts of edges are among them. */
  readonly #transitions: Transitions[] = [];
  /** Edges that write nothing. */
  readonly #shortcuts = new Map<number, number[]>();
  /** Nodes within the text of an edge from each node: texts that begin alike share them. */
  readonly #within = new Set<number>();
  /** The nodes after each first pair of bytes, wherever it is written. */
  #afterPair: (Set<number> | undefined)[] | null = null;
  #afterByte: Set<number>[] = [];

  /** A new node. */
  node(): number {
    this.#afterPair = null;
    return this.#transitions.push(new Map()) - 1;
  }

  /** Adds an edge that writes a text, which may be empty. */
  edge(from: number, to: number, text: string): void {
    this.#afterPair = null;
    const bytes = new TextEncoder().encode(text);
    if (bytes.length === 0) {
      push(this.#shortcuts, from, to);
      return;
    }
    let at = from;
    for (const byte of bytes.subarray(0, -1)) {
      let next = this.#transitions[at]!.get(byte)?.find((node) => this.#within.has(node));
      if (next === undefined) {
        next = this.node();
        this.#within.add(next);
        push(this.#transitions[at]!, byte, next);
      }
      at = next;
    }
    push(this.#transitions[at]!, bytes.at(-1)!, to);
  }

  /** Whether bytes can occur, at any place, in what a walk writes. */
  contains(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const pairs = this.#prepare();
    if (bytes.length === 1) return this.#afterByte[bytes[0]!]!.size > 0;
    const pair = bytes[0]! * 256 + bytes[1]!;
    pairs[pair] ??= this.#advance(this.#afterByte[bytes[0]!]!, bytes[1]!);
    let nodes = pairs[pair];
    for (let i = 2; i < bytes.length && nodes.size > 0; i++) nodes = this.#advance(nodes, bytes[i]!);
    return nodes.size > 0;
  }

  /** Where a walk may be after each byte, without knowing where it was before. */
  #prepare(): (Set<number> | undefined)[] {
    if (this.#afterPair) return this.#afterPair;
    this.#afterByte = Array.from({ length: 256 }, () => new Set());
    for (const transitions of this.#transitions) {
      for (const [byte, nodes] of transitions) {
        for (const node of nodes) this.#add(this.#afterByte[byte]!, node);
      }
    }
    this.#afterPair = new Array(65536);
    return this.#afterPair;
  }

  #advance(nodes: ReadonlySet<number>, byte: number): Set<number> {
    const after = new Set<number>();
    for (const node of nodes) {
      for (const next of this.#transitions[node]!.get(byte) ?? []) this.#add(after, next);
    }
    return after;
  }

  /** Adds a node and those that are reached from it without writing anything. */
  #add(nodes: Set<number>, node: number): void {
    if (nodes.has(node)) return;
    nodes.add(node);
    for (const next of this.#shortcuts.get(node) ?? []) this.#add(nodes, next);
  }
}

function push(map: Map<number, number[]>, key: number, value: number): void {
  const list = map.get(key);
  if (!list) map.set(key, [value]);
  else if (!list.includes(value)) list.push(value);
}
