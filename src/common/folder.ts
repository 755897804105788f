import { messageOf, UserError } from './errors.js';

/** A file whose bytes are read where they are wanted, so that it is never held whole. */
export interface OpenFile {
  /** In bytes. */
  readonly size: number;
  /** Fills `target` with what stands from byte `position` on. @throws when the file ends before */
  read(target: Uint8Array, position: number): void;
  close(): void;
}

/** Files that belong together, such as a model's, by their names: in a folder of a disk, or in memory. */
export interface Folder {
  /** What errors call it: its path on a disk. */
  readonly name: string;
  /** False where there is no such folder. */
  readonly exists: boolean;
  has(file: string): boolean;
  /** What errors call one of its files. */
  pathOf(file: string): string;
  /** Reads a text. @throws {UserError} naming the file when it cannot be read */
  readText(file: string, what?: string): string;
  /** @throws {UserError} saying why it cannot be read */
  open(file: string): OpenFile;
}

/** Parses a text as JSON. @throws {UserError} naming the source */
export function parseJson(text: string, source: string, what = 'a JSON file'): unknown {
  if (text.trim() === '') throw new UserError(`${source}: expected ${what}, found an empty file`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${source}: expected ${what}, but it is not valid JSON: ${messageOf(error)}`);
  }
}

/** Reads and parses a JSON file of a folder. @throws {UserError} naming the file */
export function readJsonOf(folder: Folder, file: string, what = 'a JSON file'): unknown {
  return parseJson(folder.readText(file, what), folder.pathOf(file), what);
}

/** All bytes of a file, at the beginning of a buffer of their own. */
export function readAll(file: OpenFile): Uint8Array {
  const bytes = new Uint8Array(file.size);
  file.read(bytes, 0);
  return bytes;
}

/** Files in memory, such as those that a page fetched or a person dropped on it. */
export class MemoryFolder implements Folder {
  readonly name: string;
  readonly exists = true;
  readonly #files: ReadonlyMap<string, ArrayBuffer>;

  /** @param name what errors call it */
  constructor(files: Readonly<Record<string, ArrayBuffer>>, name = 'the files') {
    this.name = name;
    this.#files = new Map(Object.entries(files));
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  pathOf(file: string): string {
    return `${this.name}: ${file}`;
  }

  readText(file: string, what = 'a text file'): string {
    // a byte order mark at the beginning, which some editors put there, is left out
    return new TextDecoder().decode(this.#bytes(file, what));
  }

  open(file: string): OpenFile {
    const bytes = this.#bytes(file, 'a file');
    return {
      size: bytes.length,
      read: (target, position) => target.set(bytes.subarray(position, position + target.length)),
      close() {},
    };
  }

  #bytes(file: string, what: string): Uint8Array {
    const found = this.#files.get(file);
    if (found) return new Uint8Array(found);
    const names = [...this.#files.keys()].join(', ');
    throw new UserError(`${this.pathOf(file)}: cannot read ${what}: it is not among the files (${names})`);
  }
}
