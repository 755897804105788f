/**
 * @file What a run was, in one small file beside what it writes, so that it is found again: its options, the call that
 * gives them, what it was made from, and what it came to. Its course stays where it is, in metrics.jsonl.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { firstLineOf, StoppedError } from '../common/errors.js';
import { readJson, writeJson } from '../common/files.js';
import { thisProcess } from '../common/process-identity.js';
import { isFromBeforeRerun } from '../common/rerun.js';
import { compileSchema } from '../common/schema.js';
import { arclabVersion } from '../common/version.js';
import { callOf } from '../options/call.js';
import { leavesOf, type OptionTable } from '../options/table.js';
import { commitOf } from './commit.js';

/** The record of a run that owns a folder. */
export const RUN_FILE = 'run.json';

/** The flow of a record, whatever version wrote it; undefined for another file, and for none. */
function flowAt(path: string): string | undefined {
  try {
    const { flow, id } = readJson(path) as Partial<RunRecord>;
    return typeof id === 'string' ? flow : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where the record of a run of a flow is that owns a folder: `run.json`, or `submit_run.json` where that name is taken
 * by the record of another flow or by a file that is no record.
 */
export function runFileIn(folder: string, flow: string): string {
  const [usual, own] = [join(folder, RUN_FILE), join(folder, `${flow}_${RUN_FILE}`)];
  const isFree = !existsSync(usual) || statSync(usual).size === 0 || flowAt(usual) === flow;
  return isFree ? usual : own;
}

/** Where the record of a run is that writes a file: `inference.json` → `inference_run.json`. */
export const runFileOf = (outputPath: string): string => `${outputPath.replace(/\.json$/, '')}_${RUN_FILE}`;

/** How far a run is. One that is `running` may have been killed: `statusOf` in `find.ts`. */
export type RunStatus = 'running' | 'done' | 'stopped' | 'failed';

/** The record of a run. */
export interface RunRecord {
  readonly format: 1;
  /** Twelve hexadecimal digits, the same when the run is continued. */
  readonly id: string;
  /** The command that it is a run of: `fine-tune`. */
  readonly flow: string;
  readonly status: RunStatus;
  /** Why it failed, in one line. */
  readonly error?: string;
  /** ISO 8601; of the first attempt, and of the end of the last. */
  readonly startedAt: string;
  readonly endedAt?: string;
  /** How long it ran, over all attempts that ended by themselves. */
  readonly seconds: number;
  /** How often it was started. */
  readonly attempts: number;
  /** The process of the last attempt. */
  readonly process: ReturnType<typeof thisProcess>;
  readonly arclab: string;
  /** Of the repository in whose folder it was started, with `-dirty` where files differ from it. */
  readonly commit?: string | undefined;
  /** What runs it again, in a shell. */
  readonly command: string;
  /** All options, defaults too. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Digests of what it was made from, by path or name. */
  readonly data: Readonly<Record<string, string>>;
  /** The id of the run that trained what this one asks. */
  readonly trainedBy?: string;
  /** How many processes shared it in the last attempt that made something; absent in records of earlier versions. */
  readonly ranks?: number;
  /** Final numbers by name: losses in nats, metrics as fractions. */
  readonly results: Readonly<Record<string, number>>;
  /** Files of the run by what they are, relative to the folder of the record. */
  readonly files: Readonly<Record<string, string>>;
}

/** The check of a record. */
export const checkRecord = compileSchema<RunRecord>(
  {
    type: 'object',
    required: [
      ...['format', 'id', 'flow', 'status', 'startedAt', 'seconds', 'attempts', 'process', 'arclab'],
      ...['command', 'config', 'data', 'results', 'files'],
    ],
    properties: {
      format: { const: 1 },
      id: { type: 'string', pattern: '^[0-9a-f]{12}$' },
      flow: { type: 'string' },
      status: { enum: ['running', 'done', 'stopped', 'failed'] },
      startedAt: { type: 'string' },
      seconds: { type: 'number' },
      attempts: { type: 'integer' },
      process: {
        type: 'object',
        required: ['host', 'machine', 'pid', 'start'],
        properties: {
          host: { type: 'string' },
          machine: { type: 'string' },
          pid: { type: 'integer' },
          start: { type: 'string' },
        },
      },
      arclab: { type: 'string' },
      command: { type: 'string' },
      config: { type: 'object' },
      data: { type: 'object', additionalProperties: { type: 'string' } },
      ranks: { type: 'integer', minimum: 1 },
      results: { type: 'object', additionalProperties: { type: 'number' } },
      files: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
  'the record of a run',
);

/** What is known of a run before it begins. */
export interface RunFacts {
  /** Where its record goes. */
  readonly path: string;
  readonly flow: string;
  readonly table: OptionTable;
  /** The options as they were given, and with defaults filled in. */
  readonly given: object;
  readonly config: object;
  readonly data: Readonly<Record<string, string>>;
  readonly trainedBy?: string | undefined;
  /** How many processes share it. Default: 1. */
  readonly ranks?: number | undefined;
  /** Whether what an earlier run wrote there is still as it was, when this one has failed: its record is put back. */
  readonly isUntouched?: (() => boolean) | undefined;
}

/** What a run came to. */
export interface RunOutcome {
  /** Default: done. */
  readonly status?: RunStatus;
  /** Everything was there already: version and commit stay those of the attempt that made it. */
  readonly isUnchanged?: boolean;
  readonly results: Readonly<Record<string, number | undefined>>;
  /** Paths by what they are; those that do not exist are left out. */
  readonly files?: Readonly<Record<string, string | undefined>>;
}

/** Plain data, as a file holds it. */
const plain = (value: object): Record<string, unknown> => JSON.parse(JSON.stringify(value));

/** The options that make two runs the same one: not those that may change when it is continued. */
function identityOf({ flow, table }: Pick<RunFacts, 'flow' | 'table'>, config: object): string {
  const free = new Set(leavesOf(table).flatMap(({ path, spec }) => (spec.free ? [path[0]] : [])));
  return JSON.stringify([flow, Object.entries(config).filter(([name]) => !free.has(name))]);
}

/** The record that is at a path already. */
function recordBefore(path: string): RunRecord | undefined {
  if (!existsSync(path) || isFromBeforeRerun(path)) return undefined;
  try {
    return checkRecord(readJson(path, 'the record of a run'), path);
  } catch {
    return undefined; // damaged, or of a later version: it is no reason not to run
  }
}

/** Whether a run continues that of a record: with the same options and data. */
const continues = (facts: RunFacts, earlier: RunRecord): boolean =>
  earlier.flow === facts.flow &&
  identityOf(facts, earlier.config) === identityOf(facts, plain(facts.config)) &&
  JSON.stringify(earlier.data) === JSON.stringify(facts.data);

function begin(facts: RunFacts, earlier: RunRecord | undefined): RunRecord {
  const { flow, table, given, config, data, trainedBy, ranks = 1 } = facts;
  const commit = commitOf(process.cwd());
  return {
    format: 1,
    id: earlier?.id ?? randomBytes(6).toString('hex'),
    flow,
    status: 'running',
    startedAt: earlier?.startedAt ?? new Date().toISOString(),
    seconds: earlier?.seconds ?? 0,
    attempts: (earlier?.attempts ?? 0) + 1,
    process: thisProcess(),
    arclab: arclabVersion(),
    ...(commit === undefined ? {} : { commit }),
    command: callOf(flow, table, plain(given)),
    config: plain(config),
    data,
    ...(trainedBy === undefined ? {} : { trainedBy }),
    ranks,
    // what was found before stays until there is something new
    results: earlier?.results ?? {},
    files: earlier?.files ?? {},
  };
}

function write(path: string, record: RunRecord): void {
  writeJson(path, record);
}

/** The id of the run whose record is at a path, if there is one. */
export function runIdAt(path: string): string | undefined {
  try {
    return checkRecord(readJson(path), path).id;
  } catch {
    return undefined;
  }
}

/**
 * Runs something and keeps its record: at the beginning, and at its end, however it ends. The same run that is
 * continued keeps its id.
 * @throws what `run` throws; {UserError} when the record cannot be written
 */
export async function recordRun<T>(
  facts: RunFacts,
  run: (id: string) => Promise<T>,
  outcomeOf: (result: T) => RunOutcome,
): Promise<T> {
  const before = recordBefore(facts.path);
  const earlier = before && continues(facts, before) ? before : undefined;
  const record = begin(facts, earlier);
  write(facts.path, record);
  const startedAt = performance.now();
  const end = (changes: Partial<RunRecord>) =>
    write(facts.path, {
      ...record,
      endedAt: new Date().toISOString(),
      seconds: Number((record.seconds + (performance.now() - startedAt) / 1000).toFixed(3)),
      ...changes,
    });
  try {
    const result = await run(record.id);
    const { status = 'done', isUnchanged, results, files = {} } = outcomeOf(result);
    const { arclab, commit, ranks = 1 } = (isUnchanged && earlier) || record;
    const made = { arclab, ranks, ...(commit === undefined ? {} : { commit }) };
    end({ ...made, status, results: finite(results), files: relativeTo(facts.path, files) });
    return result;
  } catch (error) {
    const stopped = error instanceof StoppedError;
    try {
      const isOther = before?.status === 'done' && earlier === undefined;
      if (isOther && facts.isUntouched?.()) write(facts.path, before);
      else end(stopped ? { status: 'stopped' } : { status: 'failed', error: firstLineOf(error) });
    } catch {
      // what failed is told, not that it could not be written down
    }
    throw error;
  }
}

/** Those numbers that are there and finite: JSON has no others. */
export const finite = (results: RunOutcome['results']): Record<string, number> =>
  Object.fromEntries(
    Object.entries(results).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );

function relativeTo(path: string, files: NonNullable<RunOutcome['files']>): Record<string, string> {
  const folder = dirname(path);
  return Object.fromEntries(
    Object.entries(files).flatMap(([name, file]) =>
      file !== undefined && existsSync(file) ? [[name, relative(folder, file) || basename(file)]] : [],
    ),
  );
}

/** Where the run is recorded that wrote a checkpoint. */
export const recordOfCheckpoint = (checkpoint: string): string => runFileIn(dirname(checkpoint), 'fine-tune');
