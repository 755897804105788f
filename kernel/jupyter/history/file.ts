import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Entries, type HistoryRecord } from './records.js';

/** A file that is longer is shortened to its newer half when a kernel begins to write, in bytes. */
const MAX_BYTES = 8 * 1024 * 1024;
/** For how long another kernel may be shortening it before it counts as gone, in ms. */
const LOCK_MS = 60_000;
/** How long records wait for others before they are written, in ms. */
const WAIT_MS = 100;

/**
 * The history of all sessions: a file of JSON lines that only grows, so that several kernels may append to it. Each
 * write is one call at the end of the file, and no kernel keeps it open.
 */
export class HistoryFile {
  readonly path: string;
  readonly #log: (text: string) => void;
  #entries = new Entries();
  /** Which file was read, and how far. */
  #seen = { inode: 0n, bytes: 0 };
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isReady = false;
  #isBroken = false;

  constructor(path: string, log: (text: string) => void) {
    this.path = path;
    this.#log = log;
  }

  /** Appends a record, soon. */
  append(record: HistoryRecord): void {
    if (this.#isBroken) return;
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#try(() => {
      if (!this.#isReady) this.#prepare();
      // after the half line of a kernel that was killed
      const isWhole = this.#lastByte() === 10;
      appendFileSync(this.path, isWhole ? text : `\n${text}`, { mode: 0o600 });
    });
  }

  /** Everything that the file has now. */
  read(): Entries {
    this.flush();
    this.#try(() => this.#readNew());
    return this.#entries;
  }

  #readNew(): void {
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return;
    // another file, or one that was shortened
    if (stat.ino !== this.#seen.inode || Number(stat.size) < this.#seen.bytes) {
      this.#entries = new Entries();
      this.#seen = { inode: stat.ino, bytes: 0 };
    }
    const text = readFrom(this.path, this.#seen.bytes);
    // what another kernel is writing has no end yet
    const end = text.lastIndexOf(10) + 1;
    this.#seen.bytes += end;
    for (const line of text.subarray(0, end).toString().split('\n')) this.#entries.take(line);
  }

  #prepare(): void {
    mkdirSync(dirname(this.path), { recursive: true });
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_BYTES) this.#shorten();
    this.#isReady = true;
  }

  /** Keeps the newer half. One kernel does it at a time, and what others append meanwhile is taken along. */
  #shorten(): void {
    const lock = `${this.path}.lock`;
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > LOCK_MS) rmSync(lock, { force: true });
    try {
      writeFileSync(lock, '', { flag: 'wx' });
    } catch {
      return;
    }
    try {
      this.#readNew();
      const { bytes } = this.#seen;
      const kept = readFrom(this.path, bytes - MAX_BYTES / 2).subarray(0, MAX_BYTES / 2);
      const lines = kept.toString().split('\n').slice(1);
      const temporary = `${this.path}.tmp-${process.pid}`;
      writeFileSync(temporary, `${JSON.stringify(this.#entries.header(lines))}\n${lines.join('\n')}`, {
        mode: 0o600,
      });
      appendFileSync(temporary, readFrom(this.path, bytes));
      renameSync(temporary, this.path);
    } finally {
      rmSync(lock, { force: true });
    }
  }

  #lastByte(): number {
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
    return size === 0 ? 10 : readFrom(this.path, size - 1)[0]!;
  }

  /** A history that cannot be written is reported once; the kernel goes on without it. */
  #try(action: () => void): void {
    if (this.#isBroken) return;
    try {
      action();
    } catch (error) {
      this.#isBroken = true;
      this.#log(`the history of earlier sessions is off: ${this.path}: ${(error as Error).message}`);
    }
  }
}

/** The bytes of a file from an offset to its end. */
function readFrom(path: string, offset: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - offset));
    const length = readSync(file, bytes, 0, bytes.length, offset);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
