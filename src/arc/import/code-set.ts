/**
 * @file Tasks with the programs that solve them, as sets such as omni-arc's and re-arc's solvers have them: in one
 * file, or as a folder of programs beside an ARC data set. Programs that a model wrote (`generate-code`) are such a
 * file.
 */

import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readJson, readText } from '../../common/files.js';
import { isObject } from '../../common/is-object.js';
import { readVariants } from '../dataset.js';
import { DatasetError } from '../errors.js';
import type { Dataset, Task } from '../types.js';
import { type Row, readRows } from './rows.js';

/** What the code of a task may be called, and its id. */
const codeNames = ['code', 'source', 'program', 'solution', 'solver'] as const;
const idNames = ['task_id', 'taskId', 'id', 'name'] as const;

/** The first of some fields that is there. */
const fieldOf = (value: unknown, names: readonly string[]): unknown =>
  isObject(value) ? names.map((name) => value[name]).find((found) => found !== undefined) : undefined;

/** The rows of a set, with their ids where the file's form gives them: a folder of `<id>.py`, or an object by id. */
export async function* readCodeRows(path: string): AsyncGenerator<Row & { readonly id?: string }> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const files = readdirSync(path).filter((name) => name.endsWith('.py'));
    if (files.length === 0)
      throw new DatasetError(`${path}: expected programs such as 007bbfb7.py, found none`);
    for (const [i, file] of files.sort().entries()) {
      const place = join(path, file);
      yield { id: basename(file, '.py'), value: readText(place, 'a program'), place, number: i + 1 };
    }
    return;
  }
  const json = path.endsWith('.json') ? readJson(path, 'tasks with code') : undefined;
  if (!isObject(json)) {
    yield* readRows(path);
    return;
  }
  for (const [i, [id, value]] of Object.entries(json).entries()) {
    yield { id, value, place: `${path}: at /${id}`, number: i + 1 };
  }
}

/** The programs of a row: a text, an object that has one, or a list of either. */
const codesOf = (value: unknown): unknown[] =>
  [value].flat().flatMap((one) => (isObject(one) ? [fieldOf(one, codeNames)].flat() : [one]));

/**
 * The variants of a task, one for each of its programs; none where a model wrote none that ended. Samples are those
 * of the row (`train` and `test`, or `examples`), else those that the data set has for its id.
 * @throws {DatasetError} naming the place, and what is missing there
 */
export function codeTask(
  { value, place, id: given }: Row & { readonly id?: string },
  dataset: Dataset | undefined,
): { id: string; tasks: Task[] } {
  const id = given ?? fieldOf(value, idNames);
  if (typeof id !== 'string' || id === '') {
    throw new DatasetError(`${place}: expected the id of a task under one of ${idNames.join(', ')}`);
  }
  const codes = codesOf(value);
  if (Array.isArray(value) && value.length === 0) return { id, tasks: [] };
  if (codes.length === 0 || !codes.every((code) => typeof code === 'string' && code.trim() !== '')) {
    throw new DatasetError(
      `${place}: expected the code of ${id} as text under one of ${codeNames.join(', ')}`,
    );
  }
  const variants = samplesOf(value, id, place) ?? dataset?.get(id);
  if (!variants) {
    const where = dataset
      ? 'the tasks of `datasetPath` have no such id'
      : 'give the tasks that it is about as `datasetPath`';
    throw new DatasetError(
      `${place}: no samples of task ${id}: expected train and test beside the code; ${where}`,
    );
  }
  return {
    id,
    tasks: variants.flatMap((task) => (codes as string[]).map((code) => ({ ...task, code }))),
  };
}

/** The samples of a row; undefined where it has none. */
function samplesOf(value: unknown, id: string, place: string): Task[] | undefined {
  if (!isObject(value)) return undefined;
  if (value.train !== undefined)
    return readVariants(id, { train: value.train, test: value.test ?? [] }, place);
  return value.examples === undefined ? undefined : readVariants(id, value.examples, place);
}
