import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, UserError } from './errors.js';

/** Where a path leads, through links; a link is kept and what it points to is written. */
function target(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

const temporaryName = (path: string) => `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;

/**
 * Writes a file so that a reader sees either the old content or the whole new one; permissions are kept.
 * @throws {UserError} when it cannot be written; what was there is still there then
 */
export function writeFileAtomic(path: string, data: string): void {
  const file = target(path);
  const temporary = temporaryName(file);
  try {
    writeFileSync(temporary, data);
    const mode = statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined) chmodSync(temporary, mode & 0o7777);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new UserError(`${path}: cannot write: ${messageOf(error)}`);
  }
}

/** Makes sure that a file can be written, and writes nothing. @throws {UserError} when not */
export function assertWritable(path: string): void {
  const file = target(path);
  const existing = statSync(file, { throwIfNoEntry: false });
  if (existing?.isDirectory()) throw new UserError(`${path}: cannot write: it is a folder`);
  // renaming would not mind, but whoever has taken the permission away does
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
    throw new UserError(`${path}: cannot write: ${messageOf(error)}`);
  }
}

/** Reads a text file without losing a byte. @throws {UserError} naming the file when it is missing or not UTF-8 */
export function readText(path: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(error);
    throw new UserError(`${path}: cannot read ${what}: ${reason}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${path}: expected ${what}, but it is not UTF-8 text`);
  }
}
