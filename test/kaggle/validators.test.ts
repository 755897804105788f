import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { gridSchema } from '../../src/arc/validate.js';
import { packageRoot } from '../../src/common/files.js';
import { type Check, prepare } from '../../src/common/schema-compiler.js';
import { schemaKey } from '../../src/common/schema-key.js';
import { recordSchemas, shareNested, validatorModule } from '../../src/kaggle/validators.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-validators-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
/** The checks of a module that was generated. */
async function load(schemas: readonly object[]): Promise<Record<string, Check>> {
  const file = join(folder, `${count++}.mjs`);
  await build({
    stdin: { contents: await validatorModule(schemas), resolveDir: packageRoot() },
    bundle: true,
    format: 'esm',
    outfile: file,
    logLevel: 'silent',
  });
  return await import(pathToFileURL(file).href);
}

const entry = {
  type: 'object',
  required: ['input'],
  additionalProperties: false,
  properties: { input: gridSchema, output: { anyOf: [gridSchema, { type: 'null' }] } },
};
const schemas = [
  gridSchema,
  { type: 'array', minItems: 1, items: entry },
  { type: 'object', propertyNames: { pattern: '^[a-z]+$' }, additionalProperties: entry },
  { enum: ['a', 'b'] },
  {
    type: 'object',
    properties: { enum: { type: 'string', minLength: 2 }, properties: { const: 3 } },
    if: { required: ['enum'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { required: ['properties'] },
  },
];

const cell = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 9 }) }, fc.constantFrom(10, -1, 'x'));
const grid = fc.array(fc.array(cell, { maxLength: 3 }), { maxLength: 3 });
const sample = fc.record(
  { input: grid, output: fc.oneof(grid, fc.constant(null)), more: fc.constant(1) },
  { requiredKeys: [] },
);
const values = fc.oneof(
  grid,
  fc.array(sample, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('a', 'ab', 'A', 'b/c~d'), sample, { maxKeys: 2 }),
  fc.record({ enum: fc.constantFrom('', 'xy', 1), properties: fc.constantFrom(3, 4) }, { requiredKeys: [] }),
  fc.constantFrom('a', 'c', null, 7),
);

describe('checks that were compiled ahead', () => {
  it('find the same first mistake as ajv, in every schema', async () => {
    const compiled = await load(schemas);
    fc.assert(
      fc.property(values, fc.constantFrom(...schemas), (value, schema) => {
        const check = compiled[schemaKey(schema)]!;
        const reference = prepare(schema)();
        expect(check(value)).toBe(reference(value));
        const first = ({ errors }: Check) => errors?.map(({ schemaPath, ...error }) => error)[0];
        expect(first(check)).toEqual(first(reference));
      }),
      { numRuns: 500 },
    );
  });

  it('share what occurs twice', () => {
    const shared = shareNested(schemas);
    expect(shared.get(schemaKey(entry))).toMatchObject({
      properties: { input: { $ref: schemaKey(gridSchema) } },
    });
    // names of properties are not keywords
    expect(shared.get(schemaKey(schemas[4]!))).toEqual(schemas[4]);
  });

  it('are found in the source by loading it', async () => {
    const path = join(folder, 'entry.ts');
    const compiler = join(packageRoot(), 'src/common/schema.js');
    writeFileSync(
      path,
      `import { compileSchema } from ${JSON.stringify(compiler)};
       const part = { type: 'integer' };
       export const check = compileSchema({ type: 'array', items: part }, 'a list');
       export const second = compileSchema({ type: 'array', items: part }, 'another');`,
    );
    const options = { platform: 'node', logLevel: 'silent' } as const;
    expect(await recordSchemas(folder, path, options)).toEqual([
      { type: 'array', items: { type: 'integer' } },
    ]);
    writeFileSync(path, 'throw new Error("no schemas here");');
    await expect(recordSchemas(folder, path, options)).rejects.toThrow('no schemas here');
  });
});
