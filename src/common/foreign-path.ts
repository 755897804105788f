import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { UserError } from './errors.js';
import { partsOf } from './foreign-name.js';

/** The nearest part of a path that exists, through links; undefined where a link leads to nothing. */
function existingPart(path: string): string | undefined {
  let part = path;
  while (lstatSync(part, { throwIfNoEntry: false }) === undefined) part = dirname(part);
  return existsSync(part) ? realpathSync(part) : undefined;
}

/**
 * Makes a path below a folder of a name that comes from a foreign file, archive or server. All
 * names of that kind go through here before they are joined to a folder, whether they are read or written.
 * @param name parts between `/`: relative, without `..`, `.`, a drive letter, a backslash or a control character
 * @param source where the name comes from, for the error
 * @throws {UserError} when the name is not of that form
 */
export function pathBelow(folder: string, name: string, source: string): string {
  return join(folder, ...partsOf(name, source));
}

/**
 * {@link pathBelow} for a file that is written: no link on the way may lead out of the folder either.
 * @throws {UserError} when one does
 */
export function writablePathBelow(folder: string, name: string, source: string): string {
  const path = pathBelow(folder, name, source);
  const root = existingPart(resolve(folder));
  const real = existingPart(resolve(path));
  // where the folder does not exist yet, nothing below it does, and both are the same
  const inside = real !== undefined && root !== undefined && `${real}${sep}`.startsWith(`${root}${sep}`);
  if (!inside) {
    throw new UserError(`${source}: ${JSON.stringify(name)} leads out of ${folder} through a link`);
  }
  return path;
}

/** A name that is one part of a path, such as a commit's or a contest's. @throws {UserError} when it is more */
export function fileNameOf(name: string, source: string): string {
  pathBelow('.', name, source);
  if (name.includes('/')) {
    throw new UserError(`${source}: expected a name without "/", found ${JSON.stringify(name)}`);
  }
  return name;
}
