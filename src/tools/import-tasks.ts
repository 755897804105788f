/** Data sets of others, made into ours: synthetic tasks with code, conversations, programs, predictions as candidates. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { datasetOf, loadDataset, saveDataset } from '../arc/dataset.js';
import { DatasetError } from '../arc/errors.js';
import { gridKey } from '../arc/grid.js';
import { barcTask } from '../arc/import/barc.js';
import { barcMessagesTask } from '../arc/import/barc-messages.js';
import { codeTask, readCodeRows } from '../arc/import/code-set.js';
import { type Row, readRows } from '../arc/import/rows.js';
import type { Dataset, Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { type Hooks, type NoteEvent, notesTo } from '../common/events.js';
import { assertWritableFolder, temporaryName } from '../common/files.js';
import { writableFiles } from '../common/output-files.js';
import { loadResults, predictionsOf } from '../evaluation/files.js';
import type { ConfigOf, OptionsOf } from '../options/table.js';
import { importOptions } from '../options/tasks.js';

/** Options of {@link importTasks}. */
export type ImportTasksOptions = OptionsOf<typeof importOptions.table>;

/** What was imported. */
export interface ImportTasksResult {
  /** Tasks by their ids, and variants of them. */
  readonly tasks: number;
  readonly variants: number;
  /** Rows that were left out. */
  readonly skipped: number;
  /** The files that were written. */
  readonly files: readonly string[];
}

/** Tasks of one file in a folder: what `loadDataset` reads at once stays below what a string may hold. */
const TASKS_PER_FILE = 10_000;

/** Cells of one file, with two characters each: half of what a string may hold. */
const MOST_CELLS = 2 ** 27;

/**
 * Imports tasks into a data set file, or into a folder of such files where the name does not end in `.json`.
 * @throws {UserError} naming the file and line of the first row that is not as its format says
 */
export async function importTasks(
  options: ImportTasksOptions & Hooks<NoteEvent>,
): Promise<ImportTasksResult> {
  const { onEvent, signal, ...given } = options;
  const note = notesTo(onEvent);
  const o = importOptions.check(given, note);
  if (!existsSync(o.inputPath)) throw new UserError(`${o.inputPath}: no such file`);
  const isFile = o.outputPath.endsWith('.json');
  if (isFile) writableFiles({ outputPath: o.outputPath }, [o.inputPath, o.datasetPath ?? o.inputPath]);
  else {
    assertNewParts(o.outputPath);
    assertWritableFolder(o.outputPath, '`outputPath`');
  }
  let skipped = 0;
  const onSkip = (error: UserError) => {
    if (!o.skipInvalid) throw error;
    if (skipped++ === 0) note(`left out: ${error.message}`);
  };
  // a folder gets its name when it is complete: a part of it would look like all of it
  const folder = isFile ? undefined : temporaryName(o.outputPath);
  try {
    const imported = withCode(importedTasks(o, onSkip), note);
    const { parts, ...counts } = await writeParts(imported, o, { folder, signal });
    if (folder !== undefined) renameSync(folder, o.outputPath);
    if (skipped > 0) note(`${skipped} rows were left out in all`);
    const files = isFile
      ? [o.outputPath]
      : Array.from({ length: parts }, (_, i) => partPath(o.outputPath, i));
    return { ...counts, skipped, files };
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The tasks that have programs; how many have none is noted. */
async function* withCode(
  imported: AsyncIterable<{ id: string; tasks: readonly Task[] }>,
  note: (text: string) => void,
): AsyncGenerator<{ id: string; tasks: readonly Task[] }> {
  let without = 0;
  for await (const entry of imported) {
    if (entry.tasks.length > 0) yield entry;
    else without++;
  }
  if (without > 0) note(`${without} ${without === 1 ? 'task has' : 'tasks have'} no program`);
}

/** Writes tasks into the output file, or into parts of a folder. */
async function writeParts(
  imported: AsyncIterable<{ id: string; tasks: readonly Task[] }>,
  o: ConfigOf<typeof importOptions.table>,
  { folder, signal }: { folder: string | undefined; signal: AbortSignal | undefined },
): Promise<{ tasks: number; variants: number; parts: number }> {
  const earlier = new Set<string>();
  let part = new Map<string, Task[]>();
  let [parts, variants, cells] = [0, 0, 0];
  const write = () => {
    saveDataset(folder === undefined ? o.outputPath : partPath(folder, parts), part);
    for (const id of part.keys()) earlier.add(id);
    parts++;
    [part, cells] = [new Map(), 0];
  };
  for await (const { id, tasks: list } of imported) {
    signal?.throwIfAborted();
    const known = part.get(id);
    if (known) known.push(...list);
    else {
      if (o.nTasks !== undefined && earlier.size + part.size === o.nTasks) break;
      if (folder !== undefined && (part.size === TASKS_PER_FILE || cells > MOST_CELLS)) write();
      if (earlier.has(id)) {
        throw new DatasetError(
          `${o.inputPath}: rows of task ${id} are too far apart for one file of a folder; sort them by id`,
        );
      }
      part.set(id, [...list]);
    }
    variants += list.length;
    for (const task of list) cells += cellsOf(task);
    if (folder === undefined && cells > MOST_CELLS) {
      throw new DatasetError(
        `\`outputPath: ${o.outputPath}\`: too many tasks for one file; give the name of a folder, without .json`,
      );
    }
  }
  const tasks = earlier.size + part.size;
  if (tasks === 0) throw new DatasetError(`${o.inputPath}: expected tasks, found none`);
  write();
  return { tasks, variants, parts };
}

/** Cells of the grids of a task. */
function cellsOf({ train, test }: Task): number {
  const of = (grid: Grid | undefined) => (grid === undefined ? 0 : grid.length * grid[0]!.length);
  return [...train, ...test].reduce((sum, { input, output }) => sum + of(input) + of(output), 0);
}

const partPath = (folder: string, part: number) =>
  join(folder, `part-${String(part + 1).padStart(4, '0')}.json`);

/** Parts of an earlier import would be read together with new ones. */
function assertNewParts(folder: string): void {
  if (!existsSync(folder)) return;
  throw new UserError(
    `\`outputPath: ${folder}\`: expected a name that ends in .json, or a folder that does not exist yet`,
  );
}

/** The tasks of the input, as they come. */
async function* importedTasks(
  o: ConfigOf<typeof importOptions.table>,
  onSkip: (error: UserError) => void,
): AsyncGenerator<{ id: string; tasks: readonly Task[] }> {
  if (o.format === 'candidates') {
    for (const [id, tasks] of withCandidates(o.inputPath, o.datasetPath)) yield { id, tasks };
    return;
  }
  if (o.datasetPath !== undefined && o.format !== 'code') {
    throw new UserError(`\`datasetPath\`: rows of ${o.format} have samples of their own; leave it out`);
  }
  const dataset = o.datasetPath === undefined ? undefined : datasetOf(o.datasetPath);
  const read = (row: Row & { readonly id?: string }): { id: string; tasks: readonly Task[] } => {
    if (row.broken !== undefined) throw new DatasetError(`${row.place}: expected JSON, found ${row.broken}`);
    if (o.format === 'code') return codeTask(row, dataset);
    const task = (o.format === 'barc' ? barcTask : barcMessagesTask)(row.value, row.place);
    return { id: `${o.format}-${String(row.number).padStart(6, '0')}`, tasks: [task] };
  };
  for await (const row of o.format === 'code' ? readCodeRows(o.inputPath) : readRows(o.inputPath)) {
    let found: ReturnType<typeof read>;
    try {
      found = read(row);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onSkip(error);
      continue;
    }
    yield found;
  }
}

/** A data set whose test samples have the grids that were predicted for them as candidates, beside those they had. */
function withCandidates(resultsPath: string, datasetPath: string | undefined): Dataset {
  if (datasetPath === undefined) {
    throw new UserError('`datasetPath`: expected the tasks that were predicted, found nothing');
  }
  const dataset = new Map(loadDataset(datasetPath));
  for (const { taskId, testIndex, grid } of predictionsOf(loadResults(resultsPath))) {
    const variants = dataset.get(taskId);
    const [task] = variants ?? [];
    if (!task?.test[testIndex] || variants!.length > 1) {
      throw new DatasetError(
        `${resultsPath}: ${datasetPath} has no single test input ${testIndex} of task ${taskId}, which was predicted`,
      );
    }
    if (grid === null) continue;
    const sample = task.test[testIndex]!;
    const candidates: readonly Grid[] = sample.candidates ?? [];
    if (candidates.some((known) => gridKey(known) === gridKey(grid))) continue;
    const changed = { ...sample, candidates: [...candidates, grid] };
    dataset.set(taskId, [{ ...task, test: task.test.with(testIndex, changed) }]);
  }
  return dataset;
}
