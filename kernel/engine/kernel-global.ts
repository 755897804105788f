import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Modules } from './modules.js';

/** The one global name through which rewritten code reaches the kernel: `import()` and `import.meta` go there. */
export const KERNEL_GLOBAL = '__kernel__';

/** What stands behind it. */
export interface KernelGlobal {
  /** The notebook's file, which may not exist. */
  readonly fileName: string;
  /** What the static imports of the cell that begins have given, by local name. */
  imported: Record<string, unknown>;
  import(specifier: unknown, options?: ImportCallOptions): Promise<object>;
  /** `import()` of a local module. */
  importFor(parentUrl: string, specifier: unknown, options?: ImportCallOptions): Promise<object>;
  readonly meta: { url: string; filename: string; dirname: string; resolve(specifier: string): string };
  /** What stands for a constant where a cell assigns to it: reading gives its value, writing throws. */
  constant(value: unknown): { value: unknown };
  /** A package that the kernel itself provides. */
  builtin(name: string): object;
}

/** Gives the cells what a module or a script has: `import()`, `import.meta`, `require`, `__dirname`, `__filename`. */
export function installKernelGlobal(fileName: string, modules: Modules): KernelGlobal {
  const folder = dirname(fileName);
  const require = createRequire(fileName);
  const kernel: KernelGlobal = {
    fileName,
    imported: {},
    import: (specifier, options) => modules.import(String(specifier), fileName, options),
    importFor: (url, specifier, options) => modules.import(String(specifier), modules.fileOf(url), options),
    meta: {
      url: pathToFileURL(fileName).href,
      filename: fileName,
      dirname: folder,
      resolve: (specifier) => modules.resolve(specifier, fileName),
    },
    constant: (current) => ({
      get value() {
        return current;
      },
      set value(_) {
        throw new TypeError('Assignment to constant variable.');
      },
    }),
    builtin: (name) => modules.builtins[name]!,
  };
  define(KERNEL_GLOBAL, kernel);
  define('require', require);
  define('__filename', fileName);
  define('__dirname', folder);
  return kernel;
}

/** Defines a global that cells can shadow and overwrite, and that does not show up among their own names. */
export function define(name: string | symbol, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
