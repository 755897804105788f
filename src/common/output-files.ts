import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from './errors.js';
import { assertWritableFolder } from './files.js';
import { option } from './option-names.js';

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

/**
 * Makes sure that the files of a flow can be written, and that no two of them are the same.
 * @param files by the option that names each; undefined for those that are not wanted
 * @param inputs files that are read
 * @returns the files that are wanted
 * @throws {UserError} as {@link assertWritableFile}
 */
export function writableFiles(
  files: Readonly<Record<string, string | undefined>>,
  inputs: readonly string[] = [],
): string[] {
  const wanted: string[] = [];
  for (const [name, path] of Object.entries(files)) {
    if (path === undefined) continue;
    assertWritableFile(path, option(name), [...inputs, ...wanted]);
    wanted.push(path);
  }
  return wanted;
}
