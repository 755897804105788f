/**
 * @file Partial results on disk, as they are computed: JSON lines beside the file that they will become. The first
 * line says what they are computed from, so that only a run of the very same continues them.
 *
 * What survives: each entry is one write at the end of the file, so that an entry that was appended outlives the
 * process, however it is killed. A power failure may take the last {@link SYNC_EVERY} seconds, because forcing every
 * entry to the disk costs milliseconds each; a line that was cut off is removed and computed again. Nothing is removed
 * before what was made of it is forced to the disk.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, UserError } from './errors.js';
import { systemReason } from './files.js';
import { isFromBeforeRerun } from './rerun.js';

/** Changes when the meaning of the lines does. */
const FORMAT = 1;

/** Seconds between two times that entries are forced to the disk. */
const SYNC_EVERY = 5;

/**
 * What results are computed from, as digests or values by what a person calls them: `{"data set": "3f…"}`. `content`
 * is a digest of what was made of all that: when it alone is another one, arclab itself is.
 */
export type Identity = Readonly<Record<string, string>>;

/** Parts of a header that no person gave. */
const OWN = new Set(['arclab', 'format', 'content']);

/** How every journal begins, so that no file of another origin is taken for one. */
const BEGINNING = '{"arclab":"partial results",';

const headerOf = (identity: Identity): string =>
  `${BEGINNING}"format":${FORMAT},${JSON.stringify(identity).slice(1)}`;

/** Where the partial results of a file are. */
export const partialPath = (resultPath: string): string => `${resultPath}.partial`;

/** How a journal is opened. */
export interface JournalOptions {
  readonly onNote?: (text: string) => void;
  readonly refuse?: (found: string) => Error;
}

/** Results that are appended one by one, and found again by the next run with the same identity. */
export class Journal<T> {
  readonly #path: string;
  readonly #descriptor: number;
  #size: number;
  #syncedAt = performance.now();
  #isEmpty: boolean;
  #isClosed = false;
  /** What an earlier run left, in the order in which it was appended. */
  readonly found: readonly T[];

  private constructor(path: string, descriptor: number, found: readonly T[], size: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.found = found;
    this.#size = size;
    this.#isEmpty = found.length === 0;
  }

  /**
   * Opens the journal at `path`, or begins one. What is there of another identity, or from before a rerun that this
   * process is part of, is dropped with a note. Only one process may have it open (see lock.ts).
   * @param options `refuse`: makes the error for a journal of another identity, which is then not dropped
   * @throws {UserError} when the file is no journal or cannot be written
   */
  static open<T>(
    path: string,
    identity: Identity,
    { onNote = () => {}, refuse }: JournalOptions = {},
  ): Journal<T> {
    const header = headerOf(identity);
    const fresh = isFromBeforeRerun(path);
    const descriptor = guarded(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      return openSync(path, existsSync(path) ? 'r+' : 'wx+');
    });
    try {
      const { first, entries, size } = readJournal<T>(path, descriptor);
      if (first === header && !fresh) {
        // what follows the last whole line was cut off by a kill or a full disk
        guarded(path, () => ftruncateSync(descriptor, size));
        return new Journal(path, descriptor, entries, size);
      }
      if (first !== undefined && !fresh) {
        const found = `${path} ${difference(first, identity)}`;
        if (refuse) throw refuse(found);
        onNote(`${found}: starting from nothing`);
      }
      guarded(path, () => ftruncateSync(descriptor, 0));
      const journal = new Journal<T>(path, descriptor, [], 0);
      journal.#write(header);
      trySync(() => fsyncSync(descriptor));
      return journal;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Keeps a result. @throws {UserError} on a full disk; what was appended before is kept */
  append(entry: T): void {
    this.#write(JSON.stringify(entry));
    this.#isEmpty = false;
    if (performance.now() - this.#syncedAt < 1000 * SYNC_EVERY) return;
    trySync(() => fdatasyncSync(this.#descriptor));
    this.#syncedAt = performance.now();
  }

  #write(text: string): void {
    const bytes = Buffer.from(`${text}\n`);
    try {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(this.#descriptor, bytes, at, bytes.length - at, this.#size + at);
      }
      this.#size += bytes.length;
    } catch (error) {
      try {
        ftruncateSync(this.#descriptor, this.#size);
      } catch {
        // the next run drops the part of a line that stays
      }
      throw new UserError(
        `${this.#path}: cannot write: ${systemReason(error) ?? messageOf(error)}. What it has is kept: ` +
          'the same command continues when there is room',
      );
    }
  }

  /** Ends it, when everything has become the files `results`, which are forced to the disk first. */
  finish(results: readonly string[]): void {
    for (const result of results) trySync(() => syncFile(result));
    this.close();
    rmSync(this.#path, { force: true });
  }

  /** Closes the file; an empty one is removed. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    trySync(() => fdatasyncSync(this.#descriptor));
    closeSync(this.#descriptor);
    if (this.#isEmpty) rmSync(this.#path, { force: true });
  }
}

/** The first line, the entries after it up to the first that is not whole, and the bytes that all of these take. */
function readJournal<T>(
  path: string,
  descriptor: number,
): { first: string | undefined; entries: T[]; size: number } {
  let first: string | undefined;
  const entries: T[] = [];
  let size = 0;
  for (const line of linesOf(descriptor)) {
    if (first === undefined) {
      first = line;
    } else {
      try {
        entries.push(JSON.parse(line));
      } catch {
        break;
      }
    }
    size += Buffer.byteLength(line) + 1;
  }
  const beginning = first ?? startOf(descriptor);
  if (!beginning.startsWith(BEGINNING.slice(0, beginning.length))) {
    throw new UserError(`${path}: expected partial results of arclab, found another file; move it away`);
  }
  return { first, entries, size };
}

/** The lines of a file that end with a line break, without it; never the whole file at once. */
function* linesOf(descriptor: number): Generator<string> {
  const chunk = Buffer.alloc(2 ** 16);
  let parts: Buffer[] = [];
  for (let position = 0; ; ) {
    const count = readSync(descriptor, chunk, 0, chunk.length, position);
    if (count === 0) return;
    position += count;
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0 && end < count; end = chunk.indexOf(10, start)) {
      parts.push(Buffer.from(chunk.subarray(start, end)));
      yield Buffer.concat(parts).toString();
      parts = [];
      start = end + 1;
    }
    parts.push(Buffer.from(chunk.subarray(start, count)));
  }
}

/** The beginning of a file that has no whole line. */
function startOf(descriptor: number): string {
  const bytes = Buffer.alloc(BEGINNING.length);
  return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
}

/** What an earlier run was given that is otherwise now, in words. */
function difference(first: string, identity: Identity): string {
  let before: Record<string, unknown>;
  try {
    before = JSON.parse(first);
  } catch {
    return 'is damaged';
  }
  const names = new Set([...Object.keys(identity), ...Object.keys(before)]);
  const changed = [...names].filter((name) => !OWN.has(name) && before[name] !== identity[name]);
  if (before.format !== FORMAT || changed.length === 0) return 'was written by another version of arclab';
  return `was made with another ${changed.join(' and ')}`;
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Some file systems cannot force anything to a disk: then a power failure may take more. */
function trySync(sync: () => void): void {
  try {
    sync();
  } catch {
    // see above
  }
}

function guarded<R>(path: string, run: () => R): R {
  try {
    return run();
  } catch (error) {
    throw new UserError(`${path}: cannot write: ${systemReason(error) ?? messageOf(error)}`);
  }
}
