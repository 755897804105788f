/** Finds the records of runs below a folder. */
import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { hasEnded } from '../common/process-identity.js';
import {
  METRICS_FILE,
  metricsLines,
  type TrainingHistory,
  type TrainPoint,
} from '../training/metrics-log.js';
import { checkRecord, RUN_FILE, type RunRecord } from './record.js';

/** A run that was found. */
export interface FoundRun {
  readonly record: RunRecord;
  /** Of its record. */
  readonly path: string;
  /** As its record says, but for one that was `running` in a process that is gone: `killed`. */
  readonly status: RunRecord['status'] | 'killed';
}

/** Whether a run that is said to be running was killed: only this machine's processes are known to be gone. */
function statusOf({ status, process }: RunRecord): FoundRun['status'] {
  return status === 'running' && hasEnded(process) ? 'killed' : status;
}

/** Every file that may be a record, in the order of names; folders of packages and hidden ones are left out. */
function* recordFiles(folder: string): Generator<string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // a folder that is not for this person, or has just been removed
    if (['EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return;
    throw error;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.')) {
      yield* recordFiles(path);
    } else if (entry.isFile() && (entry.name === RUN_FILE || entry.name.endsWith(`_${RUN_FILE}`))) yield path;
  }
}

/** How a caller is told of files that are named as records and are none. */
export interface FindOptions {
  readonly onNote?: (text: string) => void;
}

/**
 * All runs below a folder, the oldest first.
 * @throws {UserError} when there is no such folder
 */
export function findRuns(folder: string, { onNote = () => {} }: FindOptions = {}): FoundRun[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(
      `${folder}: expected a folder with runs, found ${existsSync(folder) ? 'a file' : 'nothing'}`,
    );
  }
  const runs: FoundRun[] = [];
  for (const path of recordFiles(folder)) {
    try {
      const record = checkRecord(readJson(path, 'the record of a run'), path);
      runs.push({ record, path, status: statusOf(record) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onNote(`left out: ${error.message}`);
    }
  }
  return runs.sort((a, b) => (a.record.startedAt < b.record.startedAt ? -1 : 1));
}

/** The path of a file of a run; undefined where it has none or it is gone. */
export function fileOf({ record, path }: FoundRun, name: string): string | undefined {
  const file = record.files[name];
  const full = file === undefined ? undefined : join(dirname(path), file);
  return full !== undefined && existsSync(full) ? full : undefined;
}

/** The course of a training, from its metrics.jsonl; empty for other runs. A line that was cut off is left out. */
export function historyOf(run: FoundRun): TrainingHistory {
  const history: TrainingHistory = { train: [], validation: [] };
  const path = fileOf(run, 'metrics') ?? join(dirname(run.path), METRICS_FILE);
  if (run.record.flow !== 'fine-tune' || !existsSync(path)) return history;
  for (const { type, ...point } of metricsLines(path).map((line) => line.point)) {
    if (type === 'train' || type === 'validation') history[type as 'train'].push(point as TrainPoint);
  }
  return history;
}
