import type { CellRequest } from '../contract.js';

/** Names that fit at a place, and the part of the text that they replace. Offsets are UTF-16. */
export interface Completions {
  start: number;
  end: number;
  items: CompletionItem[];
  /** The place is inside of a string, a template or a comment: names of values do not belong there. */
  quoted: boolean;
}

export interface CompletionItem {
  name: string;
  /** TypeScript's kind of symbol: `function`, `const`, `property`, … */
  kind: string;
}

/** Whether a piece of code can be run as it stands. */
export type Completeness =
  | { status: 'complete' | 'invalid' | 'unknown' }
  | { status: 'incomplete'; indent: string };

/** What the protocol asks of a language service. Nothing here ever fails: an empty answer is one. */
export interface Language {
  /** Takes note of a cell that begins to run: later cells see what it declares. */
  note(cell: CellRequest): void;
  /** What is wrong with the types of a cell that was noted, each as a line to print. Waits for `flush`. */
  check(cell: CellRequest): Promise<string[]>;
  /** The same ahead of all checks that wait. */
  checkNow(cell: CellRequest): Promise<string[]>;
  /** Begins with what was noted and is to be checked, in that order; any question does so too. */
  flush(): void;
  complete(code: string, offset: number): Promise<Completions>;
  /** Signature and documentation of what is at a place, as text. */
  inspect(code: string, offset: number): Promise<string | undefined>;
  isComplete(code: string): Promise<Completeness>;
  close(): void;
}
