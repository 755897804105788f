import { realpathSync, statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInstalled, packageFolders, packageNameOf } from './packages.js';
import { ProjectConfigs } from './tsconfig.js';

/** Extensions that an import may leave out, in the order to be tried. */
const EXTENSIONS = ['.ts', '.mts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.json'];
/** TypeScript writes the extension of what a file is compiled to. */
const SOURCE_EXTENSIONS: Record<string, string[]> = {
  '.js': ['.ts', '.tsx', '.jsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

/** An import that leads nowhere. */
export class ModuleNotFoundError extends Error {
  override readonly name = 'ModuleNotFoundError';
  readonly code = 'ERR_MODULE_NOT_FOUND';
}

/** Finds the files of the project that imports mean; packages are left to Node. */
export class Resolver {
  readonly configs = new ProjectConfigs();

  /**
   * The file that `specifier` means in a file of the project, or undefined where Node has to look for a package.
   * Throws a `ModuleNotFoundError` that tells where was looked.
   */
  resolve(specifier: string, parentFile: string): string | undefined {
    if (isBuiltin(specifier) || /^(node|data|https?):/.test(specifier)) return undefined;
    const folder = dirname(parentFile);
    const tried: string[] = [];
    if (specifier.startsWith('file:'))
      return this.#file(fileURLToPath(specifier), tried) ?? missing(specifier, tried);
    if (/^\.{0,2}\//.test(specifier) || specifier === '.' || specifier === '..') {
      return this.#file(resolve(folder, specifier), tried) ?? missing(specifier, tried);
    }
    for (const target of this.#mapped(specifier, folder)) {
      const file = this.#file(target, tried);
      if (file !== undefined) return file;
    }
    return workspaceFile(specifier, parentFile);
  }

  /** Where `paths` and `baseUrl` of the project lead. */
  #mapped(specifier: string, folder: string): string[] {
    if (isInPackage(folder)) return [];
    const { paths, baseUrl } = this.configs.of(folder);
    // the longest pattern wins, as TypeScript has it
    const matches = paths
      .map(({ pattern, targets }) => ({ targets, rest: match(pattern, specifier), length: pattern.length }))
      .filter(({ rest }) => rest !== undefined)
      .sort((a, b) => b.length - a.length);
    const mapped = matches[0]?.targets.map((target) => target.replace('*', () => matches[0]!.rest!)) ?? [];
    return baseUrl === undefined ? mapped : [...mapped, join(baseUrl, specifier)];
  }

  #file(path: string, tried: string[]): string | undefined {
    const extension = extname(path);
    const stem = path.slice(0, path.length - extension.length);
    const candidates = [
      path,
      ...(SOURCE_EXTENSIONS[extension] ?? []).map((other) => stem + other),
      ...EXTENSIONS.map((other) => path + other),
      ...EXTENSIONS.map((other) => join(path, `index${other}`)),
    ];
    const found = candidates.find(isFile);
    if (found === undefined) tried.push(path);
    return found === undefined ? undefined : realpathSync(found);
  }
}

function match(pattern: string, specifier: string): string | undefined {
  const star = pattern.indexOf('*');
  if (star === -1) return pattern === specifier ? '' : undefined;
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const fits = specifier.startsWith(start) && specifier.endsWith(end);
  return fits && specifier.length >= start.length + end.length
    ? specifier.slice(start.length, specifier.length - end.length)
    : undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Whether a path is part of an installed package, whose files are not the person's own. */
export function isInPackage(path: string): boolean {
  return path.split(sep).includes('node_modules');
}

function missing(specifier: string, tried: string[]): never {
  throw new ModuleNotFoundError(
    `Cannot find "${specifier}": there is no ${tried.join(' and no ')}, with or without ${EXTENSIONS.join(', ')}, and no index file in a folder of that name`,
  );
}

/** An import of a package that is not installed. */
export function missingPackage(specifier: string, name: string, parentFile: string): ModuleNotFoundError {
  const folders = packageFolders(parentFile).slice(0, 4).join(', ');
  const asked = specifier === name ? '' : `, of which "${specifier}" is to be imported`;
  return new ModuleNotFoundError(
    `Cannot find the package "${name}"${asked}: looked in ${folders}. Is it installed (npm install ${name})?`,
  );
}

/** A package of a workspace may be the person's own TypeScript, which Node would not run. */
function workspaceFile(specifier: string, parentFile: string): string | undefined {
  const name = packageNameOf(specifier);
  if (name !== undefined && !isInstalled(name, parentFile)) return undefined;
  try {
    const file = createRequire(parentFile).resolve(specifier);
    return /\.[mc]?tsx?$/.test(file) && !isInPackage(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
