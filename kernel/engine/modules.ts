/**
 * Imports of cells and of the project's own files.
 *
 * Packages and `node:` modules are Node's business. Files of the project become native ES modules under an
 * address with a version, `file:///project/a.ts?v=3`: what is imported again has the same version, and is the
 * same module with the same state, until it or something that it imports, however far away, has changed.
 */
import Module, { createRequire, isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isOwnPackage, kernelFile } from '../common/own-package.js';
import type { CellError } from '../contract.js';
import type { CellCode, CellImport } from './cell-code.js';
import { describeError, plainError } from './errors.js';
import { ModuleGraph } from './module-graph.js';
import { BUILTIN_SCHEME, ModuleLoader } from './module-loader.js';
import { importFrom } from './natives.js';
import { plainSpecifier } from './npm-specifier.js';
import { assertRequirable, isInstalled, packageNameOf, type RequiringModule } from './packages.js';
import { ModuleNotFoundError, missingPackage, Resolver } from './resolver.js';
import type { Stripper } from './strip.js';
import type { StripOptions } from './transpile.js';

/** What imports need. */
export interface ModulesOptions {
  strip: Stripper;
  critical<T>(action: () => T): T;
  builtins: Record<string, object>;
}

/** A name that a cell imports, and where its value is. */
export interface ImportedName {
  local: string;
  value: unknown;
  /** The value of now. */
  read(): unknown;
  /** Whether the export is known to change. */
  isLive: boolean;
}

type Namespace = Record<string, unknown>;

/** Finds, prepares and imports modules. */
export class Modules {
  readonly builtins: Record<string, object>;
  readonly #resolver = new Resolver();
  readonly #graph: ModuleGraph;
  readonly #loader: ModuleLoader;
  readonly #critical: ModulesOptions['critical'];
  /** Files whose import has begun and not ended. */
  readonly #unfinished = new Set<string>();

  constructor({ strip, critical, builtins }: ModulesOptions) {
    this.builtins = builtins;
    this.#critical = critical;
    this.#graph = new ModuleGraph(this.#resolver, strip, builtins);
    this.#loader = new ModuleLoader(builtins);
    extendRequire(builtins);
  }

  /** What `import(specifier)` in a file gives. */
  async import(given: string, parentFile: string, options?: ImportCallOptions): Promise<Namespace> {
    const specifier = plainSpecifier(given, parentFile);
    const builtin = this.builtins[specifier];
    if (builtin !== undefined) return { ...builtin, default: builtin };
    const target = this.#critical(() => this.#prepare(specifier, parentFile));
    if (target === undefined) return this.#importPackage(specifier, parentFile, options);
    this.#unfinished.add(target.file);
    try {
      return await importFrom(dirname(parentFile), target.url);
    } catch (error) {
      // Node would give the same failure for ever; what failed may have been the network
      this.#graph.renew(target.file);
      throw error;
    } finally {
      this.#unfinished.delete(target.file);
    }
  }

  /** After an interrupt: what was being imported is imported anew the next time, because Node would wait for ever. */
  renewUnfinished(): void {
    for (const file of this.#unfinished) this.#graph.renew(file);
    this.#unfinished.clear();
  }

  /** What `import.meta.resolve` gives. */
  resolve(given: string, parentFile: string): string {
    const specifier = plainSpecifier(given, parentFile);
    if (this.builtins[specifier] !== undefined) return BUILTIN_SCHEME + specifier;
    if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`;
    this.#resolver.configs.forget();
    const file = this.#resolver.resolve(specifier, parentFile);
    return pathToFileURL(file ?? createRequire(parentFile).resolve(specifier)).href;
  }

  /** What the project of a file says about how its code is to be read. */
  stripOptions(file: string): StripOptions {
    this.#resolver.configs.forget();
    return this.#resolver.configs.of(dirname(file)).strip;
  }

  /** The file of a module's address. */
  fileOf(url: string): string {
    return fileURLToPath(url);
  }

  /** Imports what a cell imports: its local names with their values. */
  async importForCell(
    code: CellCode,
    cellName: string,
    parentFile: string,
  ): Promise<{ names: ImportedName[] } | { error: CellError }> {
    const names: ImportedName[] = [];
    for (const item of code.imports) {
      const place = { name: cellName, ...item.position };
      try {
        const namespace = await this.import(item.specifier, parentFile, attributesOf(item));
        const live = item.bindings.length > 0 ? this.#liveExports(item.specifier, parentFile) : undefined;
        for (const { local, imported } of item.bindings) {
          const found = lookUp(namespace, imported);
          if (found === undefined && code.used.has(local)) {
            const text = `"${item.specifier}" has no export named "${imported}"`;
            return { error: plainError('SyntaxError', `${text}; it has ${listNames(namespace)}`, place) };
          }
          // what is missing and not used as a value is a type
          const read = () => lookUp(namespace, imported)?.value;
          names.push({ local, value: found?.value, read, isLive: live?.has(imported) ?? false });
        }
      } catch (error) {
        if (error instanceof ModuleNotFoundError) {
          return { error: plainError('ModuleNotFoundError', error.message, place) };
        }
        return { error: describeError(error, place) };
      }
    }
    return { names };
  }

  #liveExports(specifier: string, parentFile: string): Set<string> | undefined {
    if (this.builtins[specifier] !== undefined) return undefined;
    const file = this.#resolver.resolve(plainSpecifier(specifier, parentFile), parentFile);
    return file === undefined ? undefined : this.#graph.liveExports(file);
  }

  #prepare(specifier: string, parentFile: string): { file: string; url: string } | undefined {
    this.#resolver.configs.forget();
    const file = this.#resolver.resolve(specifier, parentFile);
    if (file === undefined) return undefined;
    const { url, fresh } = this.#graph.prepare(file);
    if (fresh.length > 0) this.#loader.provide(fresh);
    return { file, url };
  }

  async #importPackage(
    specifier: string,
    parentFile: string,
    options?: ImportCallOptions,
  ): Promise<Namespace> {
    const name = packageNameOf(specifier);
    if (name === undefined || isInstalled(name, parentFile)) {
      try {
        return await importFrom(dirname(parentFile), specifier, options);
      } catch (error) {
        throw this.#explainFailure(error, specifier);
      }
    }
    if (isOwnPackage(specifier)) return importFrom(dirname(kernelFile), specifier, options);
    throw missingPackage(specifier, name, parentFile);
  }

  /** A package that is there may import one that is not; Node then keeps the failure of the first. */
  #explainFailure(error: unknown, specifier: string): unknown {
    const { code, message = '' } = (error ?? {}) as NodeJS.ErrnoException;
    const missing =
      code === 'ERR_MODULE_NOT_FOUND' && /^Cannot find package '([^'/@]+|@[^'/]+\/[^'/]+)'/.exec(message);
    if (!missing) return error;
    // in this thread Node now remembers the package as missing; in the one of the hooks it does not
    this.#loader.start();
    return new ModuleNotFoundError(
      `"${specifier}" needs the package "${missing[1]}", which is not installed (npm install ${missing[1]}); if this is still said afterwards, restart the kernel: Node keeps failures of packages`,
    );
  }
}

function attributesOf({ attributes }: CellImport): ImportCallOptions | undefined {
  return Object.keys(attributes).length > 0 ? { with: attributes as ImportAttributes } : undefined;
}

/** A value that a module exports. CommonJS modules give their properties also where Node did not foresee them. */
function lookUp(namespace: Namespace, name: string): { value: unknown } | undefined {
  if (name === '*') return { value: namespace };
  if (name in namespace) return { value: namespace[name] };
  const whole = namespace.default;
  const isObject = (typeof whole === 'object' && whole !== null) || typeof whole === 'function';
  return isObject && name in whole ? { value: (whole as Namespace)[name] } : undefined;
}

function listNames(namespace: Namespace): string {
  const names = Object.keys(namespace);
  if (names.length === 0) return 'none';
  return names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');
}

/** The parts of Node's `require` that the kernel adds to. */
interface Requiring {
  _load(request: string, ...rest: unknown[]): unknown;
  _resolveFilename(request: string, parent: RequiringModule | undefined, ...rest: unknown[]): string;
  _extensions: Record<string, ((module: object, file: string) => void) | undefined>;
}

/** Lets `require` of a notebook and of any library find what the kernel provides. */
function extendRequire(builtins: Record<string, object>): void {
  const requiring = Module as unknown as Requiring;
  const { _load: load, _resolveFilename: resolve } = requiring;
  requiring._load = function (request, ...rest) {
    return builtins[request] ?? load.call(this, request, ...rest);
  };
  requiring._resolveFilename = function (request, parent, ...rest) {
    try {
      assertRequirable(request, parent);
      return resolve.call(this, request, parent, ...rest);
    } catch (error) {
      if (!isOwnPackage(request)) throw error;
      return createRequire(kernelFile).resolve(request);
    }
  };
  // newer Nodes know these themselves; ours would take the types for a syntax error
  for (const extension of ['.ts', '.mts', '.cts', '.tsx']) {
    requiring._extensions[extension] ??= (_module, file) => {
      throw new TypeError(
        `${file} is TypeScript, which require() cannot load; use import, or await import(…)`,
      );
    };
  }
}
