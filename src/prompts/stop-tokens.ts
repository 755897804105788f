import { type Folder, readJsonOf } from '../common/folder.js';
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
export function stopTokensOf(folder: Folder): number[] {
  const file = ['generation_config.json', 'config.json'].find((name) => folder.has(name));
  if (file === undefined) return [];
  const content = readJsonOf(folder, file, "a model's configuration");
  return [check(content, folder.pathOf(file)).eos_token_id ?? []].flat();
}
