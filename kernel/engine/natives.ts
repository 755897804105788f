import { join } from 'node:path';
import { constants, Script } from 'node:vm';

type Importer = (specifier: string, options?: ImportCallOptions) => Promise<Record<string, unknown>>;

/** The name, in each folder, of the script that imports for it. It is no file. */
export const IMPORTER_NAME = 'notebook.mjs';

const importers = new Map<string, Importer>();

/**
 * Node's own `import()`, as code in a file of that folder would call it: packages are looked for from there, and
 * the conditions are those of ES modules.
 */
export function importFrom(
  folder: string,
  specifier: string,
  options?: ImportCallOptions,
): Promise<Record<string, unknown>> {
  let importer = importers.get(folder);
  if (importer === undefined) {
    const script = new Script('(specifier, options) => import(specifier, options)', {
      filename: join(folder, IMPORTER_NAME),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    importer = script.runInThisContext() as Importer;
    importers.set(folder, importer);
  }
  return withoutWarning(() => importer(specifier, options));
}

/** Node calls the constant above experimental; the user need not see that warning. */
function withoutWarning<T>(action: () => T): T {
  const emit = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: []) => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit.call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    return action();
  } finally {
    process.emitWarning = emit;
  }
}
