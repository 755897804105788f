/** Short names of contents, the same exactly where the contents are: to notice that an input has changed. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** The digest of plain data, part by part, so that no text of all of it is made. */
export function fingerprintOf(parts: Iterable<unknown>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${JSON.stringify(part)}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** Of a file above {@link SAMPLED_FROM} bytes only so many pieces of so many bytes are read, evenly spaced. */
const SAMPLED_FROM = 2 ** 26;
const PIECES = 256;
const PIECE_BYTES = 2 ** 16;

/**
 * The digest of those files of a folder whose names match. Of large ones (weights) the size and evenly spaced pieces
 * count: training changes every piece, and reading gigabytes at each start would take longer than many a run.
 */
export function fingerprintFolder(folder: string, names: RegExp): string {
  const hash = createHash('sha256');
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => names.test(name)) : [];
  for (const name of files.sort()) {
    hash.update(`${name}\n`);
    const descriptor = openSync(join(folder, name), 'r');
    try {
      const stat = fstatSync(descriptor);
      if (!stat.isFile()) continue;
      hash.update(`${stat.size}\n`);
      const sampled = stat.size > SAMPLED_FROM;
      const length = sampled ? PIECE_BYTES : 2 ** 20;
      const step = sampled ? Math.floor((stat.size - PIECE_BYTES) / (PIECES - 1)) : length;
      const buffer = Buffer.alloc(length);
      for (let at = 0; at < stat.size; at += step) {
        hash.update(buffer.subarray(0, readSync(descriptor, buffer, 0, length, at)));
      }
    } finally {
      closeSync(descriptor);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
