import { createHash } from 'node:crypto';

/** Names a JSON Schema by its content, as the name of a variable: where checks are compiled ahead of time. */
export function schemaKey(schema: object): string {
  return `v${createHash('sha256').update(JSON.stringify(schema)).digest('hex').slice(0, 12)}`;
}
