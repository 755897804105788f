import * as compiled from 'compiled-validators';
import type { Check } from '../../src/common/schema-compiler.js';
import { schemaKey } from '../../src/common/schema-key.js';

let told = false;

/** Stands in for ajv: the checks were compiled when the notebook was built, and are found by their schema's content. */
export function prepare(schema: object): () => Check {
  return () => (compiled as Record<string, Check>)[schemaKey(schema)] ?? unchecked;
}

/** For a schema that was edited in the notebook. */
function unchecked(): boolean {
  if (!told) console.warn('a JSON Schema was edited in this notebook: what it describes is not checked');
  told = true;
  return true;
}
