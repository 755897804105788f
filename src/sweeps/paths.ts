/** @file Paths in the description of a sweep: all are relative to its folder, wherever it is started. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../common/errors.js';
import { isTemplateFile } from '../prompts/prompt-kinds.js';

/** A folder, or the id of a model of the hub. @throws {UserError} for a path that was meant from somewhere else */
function modelIn(folder: string, name: string, path: string): string {
  const own = resolve(folder, path);
  if (existsSync(own)) return own;
  if (existsSync(path)) {
    throw new UserError(
      `"${name}": paths of a sweep are relative to its description: there is no ${own}, but a ${resolve(path)}`,
    );
  }
  return path;
}

const kindIn = (folder: string, kind: unknown): unknown =>
  typeof kind === 'string' && isTemplateFile(kind) ? resolve(folder, kind) : kind;

/** Data sets with their prompt kinds; what is no such list is refused by the check of options. */
function pairsIn(folder: string, pairs: unknown): unknown {
  if (!Array.isArray(pairs)) return pairs;
  return pairs.map((pair) => {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string') return pair;
    const [path, kind, ...rest] = pair;
    return [resolve(folder, path), kindIn(folder, kind), ...rest];
  });
}

type Options = Readonly<Record<string, unknown>>;

/** The options of a flow with paths from the folder of a description as absolute ones. */
export function pathsIn(folder: string, options: Options): Record<string, unknown> {
  const result = { ...options };
  for (const [name, value] of Object.entries(options)) {
    if (name === 'trainDatasets' || name === 'valDataset') result[name] = pairsIn(folder, value);
    else if (name === 'promptVersion') result[name] = kindIn(folder, value);
    else if (typeof value !== 'string') continue;
    else if (name === 'datasetPath') result[name] = resolve(folder, value);
    else if (name === 'modelPath' || name === 'adapterPath') result[name] = modelIn(folder, name, value);
  }
  return result;
}
