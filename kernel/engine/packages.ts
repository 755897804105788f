/**
 * Where installed packages lie. Node remembers for the life of a process that a `package.json` was not there, so it is
 * asked for a package only once the folder exists: what is installed after a failed import is found at once.
 */
import { existsSync, readFileSync } from 'node:fs';
import Module, { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

/** The package that an import names: `zod` of `zod/v4`, `@scope/name` of `@scope/name/x`; else undefined. */
export function packageNameOf(specifier: string): string | undefined {
  // paths, addresses such as `data:`, and names that only the importing package knows
  if (/^(\.|\/|#)|^[\w+.-]+:/.test(specifier) || isBuiltin(specifier)) return undefined;
  const [first = '', second] = specifier.split('/');
  if (!first.startsWith('@')) return first === '' ? undefined : first;
  return second === undefined ? undefined : `${first}/${second}`;
}

/** The folders in which a file's imports are looked for, the nearest first. */
export function packageFolders(parentFile: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(parentFile); ; folder = dirname(folder)) {
    if (!folder.endsWith('node_modules')) folders.push(join(folder, 'node_modules'));
    if (dirname(folder) === folder) return folders;
  }
}

/** Whether there is something that Node could take for the package: its folder, or the importing package itself. */
export function isInstalled(name: string, parentFile: string): boolean {
  return (
    packageFolders(parentFile).some((folder) => existsSync(join(folder, name))) ||
    enclosingPackageName(dirname(parentFile)) === name
  );
}

function enclosingPackageName(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file))
    return dirname(folder) === folder ? undefined : enclosingPackageName(dirname(folder));
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name;
  } catch {
    return undefined;
  }
}

/** What `require` looks through, `NODE_PATH` included; Node's types do not know it. */
interface LookupPaths {
  _resolveLookupPaths(request: string, parent: object | undefined): string[] | null;
}

/** A module as `require` knows it. */
export interface RequiringModule {
  filename?: string | null;
}

/**
 * Throws what `require` throws for a package that is not there, without asking Node for it.
 * @param parent the module that requires it
 */
export function assertRequirable(request: string, parent: RequiringModule | undefined): void {
  const name = packageNameOf(request);
  const file = parent?.filename;
  if (name === undefined || typeof file !== 'string') return;
  const folders = (Module as unknown as LookupPaths)._resolveLookupPaths(request, parent) ?? [];
  // `require` takes a file for a package, too
  const isThere = (path: string) => ['', '.js', '.json', '.node'].some((end) => existsSync(path + end));
  if (folders.some((folder) => isThere(join(folder, name)))) return;
  if (enclosingPackageName(dirname(file)) === name) return;
  const error = new Error(`Cannot find module '${request}'\nRequire stack:\n- ${file}`);
  throw Object.assign(error, { code: 'MODULE_NOT_FOUND', requireStack: [file] });
}
