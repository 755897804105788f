import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Commands } from './commands.js';
import { CELL_TURN, runsAbandoned } from './context.js';
import type { DebugView } from './debug-view.js';
import type { Modules } from './modules.js';
import { KERNEL_GLOBAL } from './names.js';

/** What only cells have. */
interface CellParts {
  /** What `!command` and `%name` lines call. */
  commands?: Commands;
  debug?: DebugView;
  deno?: object;
}

/** What stands behind it. */
export interface KernelGlobal {
  /** The notebook's file, which may not exist. */
  readonly fileName: string;
  /** What a cell awaits before anything else. */
  readonly turn: Promise<void>;
  /** What the static imports of the cell that begins have given, by local name. */
  imported: Record<string, unknown>;
  /** The last result, `_` for cells. */
  last: unknown;
  /** What `Deno` means in a cell; see display/deno.ts. */
  readonly deno: object | undefined;
  /** What `!command` and `%name` lines call. */
  readonly commands: Commands | undefined;
  import(specifier: unknown, options?: ImportCallOptions): Promise<object>;
  /** `import()` of a local module. */
  importFor(parentUrl: string, specifier: unknown, options?: ImportCallOptions): Promise<object>;
  readonly meta: { url: string; filename: string; dirname: string; resolve(specifier: string): string };
  /** What stands for a constant where a cell assigns to it: reading gives its value, writing throws. */
  constant(value: unknown): { value: unknown };
  /** A package that the kernel itself provides. */
  builtin(name: string): object;
  /** What the transport asks while the main thread computes. */
  readonly runsAbandoned: () => boolean;
  /** What a debugger asks; cells alone have one. */
  readonly debug?: DebugView;
}

/** Gives the cells what a module or a script has: `import()`, `import.meta`, `require`, `__dirname`, `__filename`. */
export function installKernelGlobal(
  fileName: string,
  modules: Modules,
  own: Required<CellParts>,
): KernelGlobal {
  define('require', createRequire(fileName));
  define('__filename', fileName);
  define('__dirname', dirname(fileName));
  const kernel = installModuleGlobal(fileName, modules, own);
  Object.defineProperty(globalThis, '_', {
    get: () => kernel.last,
    // who assigns to it has given it another meaning; declarations and imports go before a global anyway
    set: (value) => define('_', value),
    configurable: true,
    enumerable: false,
  });
  return kernel;
}

/** What the files of a project need, where there are no cells. */
export function installModuleGlobal(
  fileName: string,
  modules: Modules,
  { commands, debug, deno }: CellParts = {},
): KernelGlobal {
  const kernel: KernelGlobal = {
    fileName,
    turn: CELL_TURN,
    imported: {},
    last: undefined,
    deno,
    commands,
    import: (specifier, options) => modules.import(String(specifier), fileName, options),
    importFor: (url, specifier, options) => modules.import(String(specifier), modules.fileOf(url), options),
    meta: {
      url: pathToFileURL(fileName).href,
      filename: fileName,
      dirname: dirname(fileName),
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
    runsAbandoned,
    debug,
  };
  define(KERNEL_GLOBAL, kernel);
  return kernel;
}

/** Defines a global that cells can shadow and overwrite, and that does not show up among their own names. */
export function define(name: string | symbol, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
