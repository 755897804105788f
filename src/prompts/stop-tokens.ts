import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';

const tokenId = { type: 'integer', minimum: 0 } as const;
const check = compileSchema<{ eos_token_id?: number | number[] | null }>(
  {
    type: 'object',
    properties: { eos_token_id: { type: ['integer', 'array', 'null'], minimum: 0, items: tokenId } },
  },
  "a model's list of tokens that end an answer",
);

/**
 * The ids that a model folder lists as `eos_token_id`, any of which ends an answer. As in transformers,
 * config.json counts only where there is no generation_config.json.
 * @throws {UserError} naming the file when they are not ids
 */
export function readStopTokens(folder: string): number[] {
  const path = ['generation_config.json', 'config.json']
    .map((name) => join(folder, name))
    .find((candidate) => existsSync(candidate));
  if (path === undefined) return [];
  return [check(readJson(path, "a model's configuration"), path).eos_token_id ?? []].flat();
}
