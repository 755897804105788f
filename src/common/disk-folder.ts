import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from './errors.js';
import { readText, systemReason } from './files.js';
import type { Folder, OpenFile } from './folder.js';

/** A folder of a disk. */
export class DiskFolder implements Folder {
  readonly name: string;

  constructor(path: string) {
    this.name = path;
  }

  get exists(): boolean {
    return statSync(this.name, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  has(file: string): boolean {
    return existsSync(this.pathOf(file));
  }

  pathOf(file: string): string {
    return join(this.name, file);
  }

  readText(file: string, what = 'a text file'): string {
    return readText(this.pathOf(file), what);
  }

  open(file: string): OpenFile {
    return openFile(this.pathOf(file));
  }
}

/** Opens a file of a disk. @throws {UserError} saying why it cannot be read */
export function openFile(path: string): OpenFile {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(code === 'ENOENT' ? 'no such file' : (systemReason(error) ?? messageOf(error)));
  }
  const stat = fstatSync(descriptor);
  if (stat.isDirectory()) {
    closeSync(descriptor);
    throw new UserError('it is a folder, expected a file');
  }
  return {
    size: stat.size,
    read: (target, position) => readFully(descriptor, target, position),
    close: () => closeSync(descriptor),
  };
}

function readFully(descriptor: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length; ) {
    // one read(2) moves less than 2 GiB
    const length = Math.min(target.length - done, 2 ** 30);
    const count = readSync(descriptor, target, done, length, position + done);
    if (count === 0) throw new UserError('the file became shorter while it was being read');
    done += count;
  }
}
