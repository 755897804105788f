import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../common/errors.js';
import { assertWritableFolder } from '../common/files.js';

/**
 * Makes sure that an output file can be written, before anything expensive, and writes nothing.
 * @param inputs files that are read, which it must not take the place of
 * @throws {UserError} naming the flag when the file is a folder or one of the inputs, or its folder cannot be written
 */
export function assertWritableFile(path: string, flag: string, inputs: readonly string[] = []): void {
  if (inputs.some((input) => resolve(input) === resolve(path))) {
    throw new UserError(`${flag} ${path}: expected a new file, found one that this command reads or writes`);
  }
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw new UserError(`${flag} ${path}: expected the name of a file, found a folder`);
  }
  assertWritableFolder(dirname(resolve(path)), flag);
}
