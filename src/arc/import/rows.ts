/** @file Rows of a file of JSON lines, or of a JSON list, with the place that an error names. */
import { createReadStream, statSync } from 'node:fs';
import { messageOf } from '../../common/errors.js';
import { readJson, systemReason } from '../../common/files.js';
import { DatasetError } from '../errors.js';

/** A row, and where it is: `tasks.jsonl:17`. */
export interface Row {
  readonly value: unknown;
  readonly place: string;
  /** Its number in the file, from 1. */
  readonly number: number;
  /** Why it is no JSON, where it is none. */
  readonly broken?: string;
}

/**
 * The rows of a file: one a line, or the items of a list where its name ends in `.json`. Lines without text are left
 * out.
 * @throws {DatasetError} when the file cannot be read, or is a table that Python has to convert
 */
export async function* readRows(path: string): AsyncGenerator<Row> {
  if (/\.(parquet|arrow|csv|gz|zst|zip)$/.test(path)) {
    throw new DatasetError(
      `${path}: expected JSON lines; in Python, datasets.load_dataset(...)['train'].to_json('tasks.jsonl') writes them ` +
        "('train_sft' for BARC's conversations)",
    );
  }
  if (path.endsWith('.json')) {
    const list = readJson(path, 'a list of rows');
    if (!Array.isArray(list)) throw new DatasetError(`${path}: expected a list of rows, found no list`);
    for (const [i, value] of list.entries()) yield { value, place: `${path}: at /${i}`, number: i + 1 };
    return;
  }
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) {
    throw new DatasetError(
      `${path}: expected a file of JSON lines, found ${stats ? 'a folder' : 'no such file'}`,
    );
  }
  let number = 0;
  try {
    for await (const line of linesOf(path)) {
      number++;
      const text = line.replace(/^\uFEFF/, '');
      if (text.trim() === '') continue;
      const place = `${path}:${number}`;
      let value: unknown;
      let broken: string | undefined;
      try {
        value = JSON.parse(text);
      } catch (error) {
        broken = messageOf(error);
      }
      yield { value, place, number, ...(broken === undefined ? {} : { broken }) };
    }
  } catch (error) {
    throw new DatasetError(`${path}: cannot read: ${systemReason(error) ?? messageOf(error)}`);
  }
}

/** The lines of a file, which end with a line feed; `node:readline` also ends them at U+2028, which JSON texts may have. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let pieces: string[] = [];
  for await (const chunk of createReadStream(path, 'utf8')) {
    const [first, ...others] = (chunk as string).split('\n');
    pieces.push(first!);
    for (const next of others) {
      yield pieces.join('');
      pieces = [next];
    }
  }
  yield pieces.join('');
}
