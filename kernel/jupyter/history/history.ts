import { randomUUID } from 'node:crypto';
import { globPattern } from './glob.js';
import { Entries, type Entry, type HistoryRecord } from './records.js';

/** `[session, line, input]`, or `[session, line, [input, output]]` where outputs are asked for. */
export type HistoryItem = [number, number, string | [string, string | null]];

/** A `history_request` of the protocol, whose defaults are as loose as its clients. */
export interface HistoryRequest {
  hist_access_type?: 'range' | 'tail' | 'search' | (string & {});
  output?: boolean;
  session?: number;
  start?: number;
  stop?: number | null;
  n?: number | null;
  pattern?: string | null;
  unique?: boolean;
}

/** Where the cells of all sessions are kept. */
export interface HistoryStore {
  append(record: HistoryRecord): void;
  read(): Entries;
  flush(): void;
}

/** Characters of an output that are kept: a history is for reading. */
const MAX_OUTPUT = 10_000;

/** Keeps the cells of this session alone. */
class Memory implements HistoryStore {
  readonly #entries = new Entries();

  append(record: HistoryRecord): void {
    this.#entries.take(JSON.stringify(record));
  }

  read(): Entries {
    return this.#entries;
  }

  flush(): void {}
}

/** The cells that were run, by session and execution count, and the answers of ipykernel to questions about them. */
export class History {
  readonly #store: HistoryStore;
  readonly #session = randomUUID();

  constructor(store: HistoryStore = new Memory()) {
    this.#store = store;
  }

  add(line: number, input: string): void {
    this.#store.append({ session: this.#session, line, input: input.replace(/\n+$/, '') });
  }

  setOutput(line: number, output: string): void {
    this.#store.append({ session: this.#session, line, output: output.slice(0, MAX_OUTPUT) });
  }

  /** Writes what is not written yet. */
  flush(): void {
    this.#store.flush();
  }

  /** The cells that a client asks for, oldest first. */
  find(request: HistoryRequest): HistoryItem[] {
    const entries = this.#store.read();
    const current = entries.numberOf(this.#session);
    const found = select(request, entries.all(), current);
    // in a range a session is called as it was asked for: 0 is the one that asks
    const asksForOwn = request.hist_access_type === 'range' && (request.session ?? 0) === 0;
    return found.map(({ session, line, input, output }) => [
      asksForOwn && session === current ? 0 : session,
      line,
      request.output ? [input, output ?? null] : input,
    ]);
  }
}

function select(request: HistoryRequest, all: readonly Entry[], current: number): Entry[] {
  const { hist_access_type: type, n, unique } = request;
  if (type === 'range') return range(request, all, current);
  if (type === 'tail') {
    // the cells of this session count as the newest, also where another one has begun later
    const [own, others] = [true, false].map((isOwn) =>
      all.filter(({ session }) => (session === current) === isOwn),
    );
    return last([...others!, ...own!], n);
  }
  if (type !== 'search') return [];
  const glob = globPattern(request.pattern ?? '*');
  let found = all.filter(({ input }) => glob.test(input));
  if (unique) {
    const newest = new Map(found.map((entry) => [entry.input, entry]));
    found = found.filter((entry) => newest.get(entry.input) === entry);
  }
  return last(found, n);
}

/** Session 0 is the one that asks, and -1 the one before; in it negative lines count from the end. */
function range(
  { session = 0, start = 0, stop }: HistoryRequest,
  all: readonly Entry[],
  current: number,
): Entry[] {
  const number = session <= 0 ? current + session : session;
  const entries = all.filter((entry) => entry.session === number);
  const end = (entries.at(-1)?.line ?? 0) + 1;
  const place = (line: number) => (line < 0 && number === current ? line + end : line);
  const [first, limit] = [place(start), stop ? place(stop) : Number.POSITIVE_INFINITY];
  return entries.filter(({ line }) => line >= first && line < limit);
}

function last<T>(items: T[], n: number | null | undefined): T[] {
  return n === undefined || n === null ? items : n <= 0 ? [] : items.slice(-n);
}
