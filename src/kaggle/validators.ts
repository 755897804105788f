/**
 * JSON Schemas as code, so that a notebook does not carry a compiler of them. Which schemas there are is found by
 * loading the source that the notebook is made of, with a recorder in the compiler's place.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { ajvOptions } from '../common/schema-compiler.js';
import { schemaKey } from '../common/schema-key.js';

/** The module that makes checks of schemas, as others import it. */
export const COMPILER = './schema-compiler.js';

/** In the place of the compiler: tells the parent process every schema that it is given. */
const RECORDER = `export function prepare(schema) {
  process.send(JSON.stringify(schema));
  return () => { throw new Error('schemas are only recorded here'); };
}`;

/** Every schema that the modules below an entry pass to `compileSchema` while they are loaded. */
export async function recordSchemas(root: string, entry: string, options: BuildOptions): Promise<object[]> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'cjs',
    define: { 'import.meta.url': '__importMetaUrl' },
    banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
    plugins: [
      {
        name: 'record-schemas',
        setup(plugin) {
          plugin.onResolve({ filter: /\/schema-compiler\.js$/ }, ({ path }) => ({
            path,
            namespace: 'recorder',
          }));
          plugin.onLoad({ filter: /.*/, namespace: 'recorder' }, () => ({ contents: RECORDER }));
        },
      },
      ...(options.plugins ?? []),
    ],
  });
  // a process of its own: modules of this source may already be loaded here, in another state
  const folder = mkdtempSync(join(tmpdir(), 'arclab-schemas-'));
  try {
    const path = join(folder, 'source.cjs');
    writeFileSync(path, outputFiles![0]!.contents);
    return await schemasOf(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function schemasOf(path: string): Promise<object[]> {
  const child = fork(path, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  const schemas = new Map<string, object>();
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('message', (text: string) => schemas.set(text, JSON.parse(text)));
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) done([...schemas.values()]);
      else reject(new Error(`the source cannot be loaded to find its JSON Schemas: ${stderr.trim()}`));
    });
  });
}

type SchemaObject = Record<string, unknown>;

/** Keywords whose value is a schema, a list of schemas or schemas by name; others hold plain values. */
const NESTED = new Set(
  'additionalProperties allOf anyOf contains else if items not oneOf patternProperties properties propertyNames then'.split(
    ' ',
  ),
);
const BY_NAME = new Set(['patternProperties', 'properties']);

/** A schema with each schema directly in it replaced. */
function replaceNested(schema: SchemaObject, replace: (nested: SchemaObject) => unknown): SchemaObject {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  const each = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(each);
    return isObject(value) ? replace(value as SchemaObject) : value;
  };
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (!NESTED.has(keyword)) return [keyword, value];
      if (!BY_NAME.has(keyword)) return [keyword, each(value)];
      return [
        keyword,
        Object.fromEntries(Object.entries(value as object).map(([name, item]) => [name, each(item)])),
      ];
    }),
  );
}

/** Schemas shorter than this cost less than a reference to them. */
const SHORTEST_SHARED = 60;

/**
 * Schemas by key, where what occurs several times (a grid) is one schema that the others refer to: its code is
 * written once.
 */
export function shareNested(schemas: readonly object[]): Map<string, SchemaObject> {
  const counts = new Map<string, number>();
  const count = (schema: SchemaObject): SchemaObject => {
    const key = schemaKey(schema);
    const seen = counts.get(key) ?? 0;
    counts.set(key, seen + 1);
    if (seen === 0) replaceNested(schema, count);
    return schema;
  };
  const shared = new Map<string, SchemaObject>();
  const refer = (schema: SchemaObject): SchemaObject => {
    const key = schemaKey(schema);
    if (counts.get(key) === 1 || JSON.stringify(schema).length < SHORTEST_SHARED)
      return replaceNested(schema, refer);
    if (!shared.has(key)) shared.set(key, replaceNested(schema, refer));
    return { $ref: key };
  };
  for (const schema of schemas as SchemaObject[]) count(schema);
  for (const schema of schemas as SchemaObject[]) shared.set(schemaKey(schema), replaceNested(schema, refer));
  return shared;
}

/** An ES module that exports the check of each schema under its {@link schemaKey}. */
export async function validatorModule(schemas: readonly object[]): Promise<string> {
  const [{ Ajv }, { default: standalone }] = await Promise.all([
    import('ajv'),
    import('ajv/dist/standalone/index.js'),
  ]);
  const ajv = new Ajv({ ...ajvOptions, inlineRefs: false, code: { source: true, esm: true } });
  for (const [key, schema] of shareNested(schemas)) ajv.addSchema(schema, key);
  const names = Object.fromEntries(
    schemas
      .map(schemaKey)
      .sort()
      .map((key) => [key, key]),
  );
  return schemas.length === 0 ? NO_SCHEMAS : standalone(ajv, names);
}

const NO_SCHEMAS = 'export {};';
