/** The lines of a history file, and what they say together. */

/** A cell that was run in some session. */
export interface Entry {
  /** 1 for the first session that the file has ever had. */
  session: number;
  line: number;
  input: string;
  output: string | undefined;
}

/** One line of the file. A session is named by an id, because two kernels may begin one at the same time. */
export type HistoryRecord =
  | { session: string; line: number; input: string }
  | { session: string; line: number; output: string }
  /** At the top of a file that was shortened: the numbers of sessions that are left, and the number of the next. */
  | { numbers: Record<string, number>; next: number };

/** Sessions by id and entries in order, as lines come in. */
export class Entries {
  readonly #numbers = new Map<string, number>();
  readonly #entries = new Map<string, Entry>();
  #next = 1;

  /** The number of a session; one that the file does not know is the next. */
  numberOf(session: string): number {
    return this.#numbers.get(session) ?? this.#next;
  }

  /** By session and line, oldest first. */
  all(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.session - b.session || a.line - b.line);
  }

  /** Takes a line of a file; what is no record, such as the half of one, is passed over. */
  take(text: string): void {
    const record = parseRecord(text);
    if (record === undefined) return;
    if ('numbers' in record) {
      for (const [id, number] of Object.entries(record.numbers)) this.#numbers.set(id, number);
      this.#next = record.next;
      return;
    }
    const session = this.numberOf(record.session);
    if (session === this.#next) this.#next++;
    this.#numbers.set(record.session, session);
    const key = `${session} ${record.line}`;
    if ('input' in record) {
      this.#entries.set(key, { session, line: record.line, input: record.input, output: undefined });
    } else {
      const entry = this.#entries.get(key);
      if (entry !== undefined) entry.output = record.output;
    }
  }

  /** What stands at the top of a file that has only `lines` of this one. */
  header(lines: readonly string[]): HistoryRecord {
    const kept = lines.flatMap((line) => {
      const record = parseRecord(line);
      return record !== undefined && 'session' in record ? [record.session] : [];
    });
    const numbers = Object.fromEntries([...new Set(kept)].map((id) => [id, this.numberOf(id)]));
    return { numbers, next: this.#next };
  }
}

function parseRecord(text: string): HistoryRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { session, line, input, output, numbers, next } = value as Record<string, unknown>;
  if (typeof session === 'string' && Number.isInteger(line)) {
    const isRecord = typeof input === 'string' || typeof output === 'string';
    return isRecord ? (value as HistoryRecord) : undefined;
  }
  const isHeader = typeof numbers === 'object' && numbers !== null && Number.isInteger(next);
  return isHeader ? (value as HistoryRecord) : undefined;
}
