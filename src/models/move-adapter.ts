import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { moveAdapterOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import type { AdapterModule, FloatsOnHost } from './adapter-state.js';
import { baseTable, rowNorms } from './base-tables.js';
import {
  assertNewFolder,
  readAdapter,
  readAdapterBase,
  resolveModel,
  startFolder,
  writeAdapter,
} from './index.js';
import { vocabularyWeights } from './weight-names.js';

/** Options of {@link moveAdapter}. */
export type MoveAdapterOptions = OptionsOf<typeof moveAdapterOptions.table>;

/** What was moved. */
export interface MoveAdapterResult {
  /** How many tokens both bases have; undefined where the adapter has nothing for tokens. */
  readonly tokensInCommon: number | undefined;
}

/**
 * Writes an adapter anew for a base with another vocabulary, such as a pruned model and the model that it was cut from:
 * rows of embeddings and head go by the names of their tokens. For a token that the adapter's base lacks, the new base
 * stays as it is.
 * @throws {UserError} when the adapter fits one of the bases no more than its tokens explain
 */
export async function moveAdapter(options: MoveAdapterOptions): Promise<MoveAdapterResult> {
  const o = moveAdapterOptions.check(options);
  assertNewFolder(o.outputDir);
  const [adapterFolder, from, to] = [
    await resolveModel(o.adapterPath),
    await resolveModel(o.modelPath),
    await resolveModel(o.toModelPath),
  ];
  const state = readAdapter(adapterFolder, readAdapterBase(from));
  const base = readAdapterBase(to);
  const { config, targets } = base;
  const tables = vocabularyWeights(config);
  const isTable = (name: string) => Object.values(tables).includes(name);
  const useOf = (name: string) => targets.get(name)?.use;
  const tableModules = [...state.modules].filter(([name]) => useOf(name) !== 'projection');
  const hasRows = tableModules.length > 0 || [...state.saved.keys()].some(isTable);
  const doraTable = tableModules.find(([name, { magnitude }]) => magnitude && useOf(name) === 'embedding');
  if (doraTable) {
    throw new UserError(
      `${adapterFolder}: DoRA on ${doraTable[0]} has norms over all tokens of its base, which the other base has not; ` +
        'merge it instead (`arclab merge-lora`)',
    );
  }
  const startedHead = state.pissaBase && tableModules.find(([name]) => useOf(name) === 'head');
  if (startedHead) {
    throw new UserError(
      `${adapterFolder}: it was saved with init_lora_weights "pissa", which changes ${startedHead[0]} of all tokens of ` +
        'its base, which the other base has not; convert it with PEFT first, ' +
        'save_pretrained(folder, path_initial_model_for_weight_conversion=initial_folder)',
    );
  }
  const rows = hasRows ? rowsByName(from, to, config.vocabSize) : new Int32Array(0);
  const moved = ([name, module]: [string, AdapterModule]): [string, AdapterModule] => {
    if (useOf(name) === 'projection') return [name, module];
    const { b, magnitude } = module;
    const zeros = new Float32Array(config.vocabSize * b.shape[1]!);
    return [
      name,
      {
        ...module,
        b: withRows(b, rows, zeros),
        ...(magnitude ? { magnitude: withRows(magnitude, rows, rowNorms(baseTable(base, name))) } : {}),
      },
    ];
  };
  const movedTable = ([name, tensor]: [string, FloatsOnHost]): [string, FloatsOnHost] => {
    if (!isTable(name)) return [name, tensor];
    return [name, withRows(tensor, rows, baseTable(base, name.replace(/\.weight$/, '')).values)];
  };
  const made = startFolder(o.outputDir);
  try {
    const adapter = {
      ...state,
      modules: new Map([...state.modules].map(moved)),
      saved: new Map([...state.saved].map(movedTable)),
    };
    writeAdapter(made.target, adapter, base);
    // what does not fit is said before the folder is there
    readAdapter(made.target, base);
    made.keep();
  } finally {
    made.close();
  }
  return { tokensInCommon: hasRows ? rows.filter((row) => row >= 0).length : undefined };
}

/** A tensor [V, …] of one vocabulary for another: its rows in their new places, and those of `others` elsewhere. */
function withRows(tensor: FloatsOnHost, rows: Int32Array, others: Float32Array): FloatsOnHost {
  const width = tensor.shape.slice(1).reduce((product, n) => product * n, 1);
  const values = Float32Array.from(others);
  for (const [row, former] of rows.entries()) {
    if (former >= 0) values.set(tensor.values.subarray(former * width, (former + 1) * width), row * width);
  }
  return { ...tensor, shape: [rows.length, ...tensor.shape.slice(1)], values };
}

/** For each row of a base the row of another one that has the same token; −1 where there is none. */
function rowsByName(from: string, to: string, vocabSize: number): Int32Array {
  const ids = tokenIds(from);
  const rows = new Int32Array(vocabSize).fill(-1);
  for (const [token, id] of tokenIds(to)) if (id < vocabSize) rows[id] = ids.get(token) ?? -1;
  if (rows.some((row) => row >= 0)) return rows;
  throw new UserError(`${from} and ${to} have no token in common: expected two forms of one model`);
}

/** The ids of a tokenizer's tokens by their names. */
function tokenIds(folder: string): Map<string, number> {
  const path = join(folder, 'tokenizer.json');
  if (!existsSync(path))
    throw new UserError(`${folder}: no tokenizer.json, whose tokens say which rows belong together`);
  const { model, added_tokens: added = [] } = readJson(path, 'a tokenizer.json') as {
    model: { vocab: Record<string, number> | [token: string, score: number][] };
    added_tokens?: { id: number; content: string }[];
  };
  const entries = Array.isArray(model.vocab)
    ? model.vocab.map(([token], id): [string, number] => [token, id])
    : Object.entries(model.vocab);
  return new Map([...entries, ...added.map(({ id, content }): [string, number] => [content, id])]);
}
