import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type OperationName, parseSchema, type Schema, schemas, type ValueType } from './schemas.js';

const same = (a: ValueType, b: ValueType): boolean =>
  a.type === b.type &&
  a.list === b.list &&
  a.optional === b.optional &&
  a.optionalElements === b.optionalElements;

/**
 * How the installed torch wants an operation's arguments, given how we know it. Releases have added optional arguments
 * at the end, which are None to us. Undefined when more than that is different.
 */
export function reconcile(ours: Schema, theirs: Schema): Schema | undefined {
  const shared = Math.min(ours.arguments.length, theirs.arguments.length);
  const agree = ours.arguments
    .slice(0, shared)
    .every((slot, i) => same(slot, theirs.arguments[i] as ValueType));
  const rest = [...ours.arguments.slice(shared), ...theirs.arguments.slice(shared)];
  const sameReturns =
    ours.returns.length === theirs.returns.length &&
    ours.returns.every((slot, i) => same(slot, theirs.returns[i] as ValueType));
  return agree && sameReturns && rest.every(({ optional }) => optional) ? theirs : undefined;
}

/** The schemas of ATen's operations by name, from the file that comes with a Python package of torch. */
export function readInstalledSchemas(libraryFolder: string): Map<string, string> | undefined {
  const packages = dirname(dirname(libraryFolder));
  let text: string;
  try {
    text = readFileSync(join(packages, 'torchgen/packaged/ATen/native/native_functions.yaml'), 'utf8');
  } catch {
    return undefined; // a libtorch archive, or a build of its own
  }
  const found = new Map<string, string>();
  for (const [, schema, name] of text.matchAll(/^- func: (([\w.]+)\(.*)$/gm)) {
    if (Object.hasOwn(schemas, name as string)) found.set(name as string, schema as string);
  }
  return found;
}

/**
 * The schema to encode each operation's arguments from, by name; null for one that this torch lacks or has in a form
 * that is not known. Without the file of the installed torch our own table is trusted.
 */
export function resolveSchemas(
  installed: Map<string, string> | undefined,
): Map<OperationName, Schema | null> {
  return new Map(
    (Object.keys(schemas) as OperationName[]).map((name) => {
      const ours = parseSchema(schemas[name]);
      // operations of other namespaces are registered in C++ only
      if (!installed || name.includes('::')) return [name, ours];
      const theirs = installed.get(name);
      return [name, theirs === undefined ? null : (reconcile(ours, parseSchema(theirs)) ?? null)];
    }),
  );
}
