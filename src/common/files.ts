import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from './errors.js';
import { parseJson } from './folder.js';

/** A name beside `path` that no other process uses; renaming from it is atomic because it is on the same disk. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** The operating system's error message, without the call and the file that Node adds to it. */
export function systemReason(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined || syscall === undefined) return undefined;
  return error.message.replace(/^[A-Z0-9_]+: /, '').replace(new RegExp(`, ${syscall}( '.*)?$`, 's'), '');
}

/** Where a path leads, through links: a link is kept, and what it points to is written. */
function linkTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/**
 * Writes a file so that a reader sees either the old content or the whole new one. Makes missing folders, keeps the
 * permissions of a file that is there, and writes through links.
 * @throws {UserError} naming the file when it cannot be written, as on a full disk; what was there is still there
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  const file = linkTarget(path);
  const temporary = temporaryName(file);
  try {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(temporary, data);
      const mode = statSync(file, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined) chmodSync(temporary, mode & 0o7777);
      renameSync(temporary, file);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (error) {
    throw new UserError(`${path}: cannot write: ${systemReason(error) ?? messageOf(error)}`);
  }
}

/** Makes sure that a file can be written in a folder that exists, and writes nothing. @throws {UserError} when not */
export function assertWritable(path: string): void {
  const file = linkTarget(path);
  const existing = statSync(file, { throwIfNoEntry: false });
  if (existing?.isDirectory()) throw new UserError(`${path}: cannot write: it is a folder`);
  // renaming would succeed, but the file was write-protected on purpose
  if (existing !== undefined && (existing.mode & 0o222) === 0) {
    throw new UserError(`${path}: cannot write: the file is read-only`);
  }
  if (statSync(dirname(file), { throwIfNoEntry: false }) === undefined) {
    throw new UserError(`${path}: cannot write: there is no folder ${dirname(file)}`);
  }
  try {
    // access(2) says yes to root even on a read-only disk: only writing proves it
    const probe = temporaryName(file);
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    throw new UserError(`${path}: cannot write: ${systemReason(error) ?? messageOf(error)}`);
  }
}

function readBytes(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = (
      { ENOENT: 'no such file', EISDIR: 'it is a folder' } as Record<string, string | undefined>
    )[(error as NodeJS.ErrnoException).code ?? ''];
    throw new UserError(`${path}: cannot read ${what}: ${reason ?? systemReason(error) ?? messageOf(error)}`);
  }
}

/** Reads a text file. @throws {UserError} naming the file when it cannot be read. */
export function readText(path: string, what = 'a text file'): string {
  // some editors put a byte order mark at the beginning
  return readBytes(path, what)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

/**
 * Reads a text file of which every byte matters: a byte order mark stays.
 * @throws {UserError} naming the file when it is missing or not UTF-8
 */
export function readExactText(path: string, what: string): string {
  const bytes = readBytes(path, what);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${path}: expected ${what}, but it is not UTF-8 text`);
  }
}

/** Reads and parses a JSON file. @throws {UserError} naming the file when it is missing or is not JSON. */
export function readJson(path: string, what = 'a JSON file'): unknown {
  return parseJson(readText(path, what), path, what);
}

/** Writes a value as JSON that people read, as {@link writeFileAtomic}. */
export const writeJson = (path: string, value: unknown): void =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/**
 * Makes sure that files can be created in a folder, or that the folder can be made, and makes nothing.
 * @throws {UserError} when not
 */
export function assertWritableFolder(path: string, flag: string): void {
  // the nearest folder that exists: Node's recursive mkdir never returns below /proc
  let existing = resolve(path);
  while (!existsSync(existing)) existing = dirname(existing);
  if (!statSync(existing).isDirectory()) {
    throw new UserError(`${flag}: cannot write to ${path}: ${existing} is a file`);
  }
  try {
    // access(2) says yes to root even on a read-only disk: only writing proves it
    const probe = temporaryName(join(existing, '.probe'));
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    throw new UserError(`${flag}: cannot write to ${path}: ${systemReason(error) ?? messageOf(error)}`);
  }
}

/** The folder of the installed package: the nearest one above this file that holds arclab's package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('package.json of arclab not found above ' + fileURLToPath(import.meta.url));
    folder = parent;
  }
  return folder;
}

/** A file of the build, such as a worker's bundle, wherever this code runs from. */
export function buildFile(name: string): string {
  return join(packageRoot(), 'dist', name);
}
