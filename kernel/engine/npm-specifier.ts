/** Deno's `npm:name@range/path`: here the package that is installed, if its version is one of those asked for. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolders } from './packages.js';
import { ModuleNotFoundError } from './resolver.js';

interface NpmSpecifier {
  name: string;
  /** What npm installs, `name@range`. */
  wanted: string;
  range: string | undefined;
  /** What Node calls it, `name/path`. */
  plain: string;
}

function parse(specifier: string): NpmSpecifier | undefined {
  const match = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@([^/]+))?(\/.*)?$/.exec(specifier);
  if (match === null) return undefined;
  const [, name = '', range, path = ''] = match;
  return { name, range, wanted: range === undefined ? name : `${name}@${range}`, plain: name + path };
}

/** An import as Node knows it. Throws a `ModuleNotFoundError` that says what to install. */
export function plainSpecifier(specifier: string, parentFile: string): string {
  if (!specifier.startsWith('npm:')) return specifier;
  const npm = parse(specifier);
  if (npm === undefined) {
    throw new ModuleNotFoundError(`"${specifier}": expected npm:name, npm:name@range or npm:name@range/path`);
  }
  const folder = packageFolders(parentFile)
    .map((at) => join(at, npm.name))
    .find(existsSync);
  if (folder === undefined) {
    throw new ModuleNotFoundError(
      `Cannot find the package of "${specifier}": install it with npm install ${npm.wanted}`,
    );
  }
  const version = versionIn(folder);
  if (!mayBe(version, npm.range)) {
    throw new ModuleNotFoundError(
      `"${specifier}" asks for another version of ${npm.name} than ${version}, which is installed: npm install ${npm.wanted}`,
    );
  }
  return npm.plain;
}

/** The same where nothing is to fail, as for types. */
export function withoutNpm(specifier: string): string {
  return parse(specifier)?.plain ?? specifier;
}

function versionIn(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: string }).version;
  } catch {
    return undefined;
  }
}

/** Whether the numbers that a range begins with are those of a version; other ranges are accepted. */
function mayBe(version: string | undefined, range: string | undefined): boolean {
  const match = /^([~^=v]?)(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range ?? '');
  const installed = /^(\d+)\.(\d+)\.(\d+)/
    .exec(version ?? '')
    ?.slice(1)
    .map(Number);
  if (match === null || installed === undefined) return true;
  const [, operator, ...parts] = match;
  const wanted = parts.map((part) => (part === undefined ? undefined : Number(part)));
  if (operator !== '^' && operator !== '~')
    return wanted.every((part, i) => part === undefined || part === installed[i]);
  // what must stay: of ^ the first part that is not 0, of ~ the first two
  const fixed = operator === '~' ? 1 : wanted.findIndex((part) => part !== 0);
  const stays = wanted.slice(0, fixed + 1).every((part, i) => part === undefined || part === installed[i]);
  return stays && compare(installed, wanted) >= 0;
}

function compare(installed: readonly number[], wanted: readonly (number | undefined)[]): number {
  for (const [i, part] of installed.entries()) {
    const difference = part - (wanted[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
