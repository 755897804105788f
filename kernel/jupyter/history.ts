/** A cell that was run: what went in, and the text of what came out. */
interface Entry {
  input: string;
  output: string | undefined;
}

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

/** The session number of this life of the kernel; older ones are not kept. */
const SESSION = 1;

/** The cells of one life of a kernel, by their execution count. */
export class History {
  #entries = new Map<number, Entry>();

  add(line: number, input: string): void {
    this.#entries.set(line, { input, output: undefined });
  }

  setOutput(line: number, output: string): void {
    const entry = this.#entries.get(line);
    if (entry) entry.output = output;
  }

  /** The cells that a client asks for, oldest first. */
  find(request: HistoryRequest): HistoryItem[] {
    const lines = this.#select(request);
    return lines.map((line) => {
      const { input, output } = this.#entries.get(line)!;
      return [SESSION, line, request.output ? [input, output ?? null] : input];
    });
  }

  #select({
    hist_access_type: type,
    session = 0,
    start = 0,
    stop,
    n,
    pattern,
    unique,
  }: HistoryRequest): number[] {
    const all = [...this.#entries.keys()];
    if (type === 'range') {
      // 0 and negative numbers count back from this session, and before it there is nothing
      if (session !== 0 && session !== SESSION) return [];
      return all.filter((line) => line >= start && line < (stop ?? Infinity));
    }
    if (type === 'tail') return last(all, n);
    if (type !== 'search') return [];
    const glob = globPattern(pattern ?? '*');
    let found = all.filter((line) => glob.test(this.#entries.get(line)!.input));
    if (unique) {
      const newest = new Map(found.map((line) => [this.#entries.get(line)!.input, line]));
      found = found.filter((line) => newest.get(this.#entries.get(line)!.input) === line);
    }
    return last(found, n);
  }
}

function last(lines: number[], n: number | null | undefined): number[] {
  return n === undefined || n === null ? lines : n <= 0 ? [] : lines.slice(-n);
}

/** `*` and `?` as in the shell, over the whole text. */
function globPattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
