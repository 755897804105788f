/** @file What a run has under a name: its options, its results, and facts of its record. */
import { basename, dirname, relative, sep } from 'node:path';
import { UserError } from '../common/errors.js';
import { nearestName } from '../common/option-names.js';
import { inferEvaluateOptions } from '../options/inference.js';
import { startOptions } from '../options/other.js';
import { submitOptions } from '../options/submit.js';
import { fineTuneOptions } from '../options/training.js';
import type { FoundRun } from './find.js';
import { RUN_FILE, type RunRecord } from './record.js';
import { parseWhere, type RunValue } from './where.js';

/** A run with everything that it can be found by. */
export interface RunValues {
  readonly run: FoundRun;
  /** Facts of the record by name: `id`, `status`, `seconds`, … */
  readonly facts: ReadonlyMap<string, RunValue>;
  /** Its options, parts as `lora.r`, and beside them those of the run that trained what it asks. */
  readonly options: ReadonlyMap<string, RunValue>;
  readonly results: ReadonlyMap<string, RunValue>;
}

/** `loraR`, `lora_r` and `lora.r` are the same name. */
const plainName = (name: string): string => name.replace(/[._-]/g, '').toLowerCase();

/** Options by name; lists as JSON. */
function flatten(config: Readonly<Record<string, unknown>>, prefix = ''): [string, RunValue][] {
  return Object.entries(config).flatMap(([key, value]): [string, RunValue][] => {
    if (value === null || value === undefined) return [];
    if (typeof value === 'object' && !Array.isArray(value)) {
      return flatten(value as Record<string, unknown>, `${prefix}${key}.`);
    }
    return [[prefix + key, typeof value === 'object' ? JSON.stringify(value) : (value as RunValue)]];
  });
}

const optionsOfFlow: Readonly<Record<string, { upgrade(saved: object): Record<string, unknown> }>> = {
  'fine-tune': fineTuneOptions,
  'infer-evaluate': inferEvaluateOptions,
  start: startOptions,
  submit: submitOptions,
};

/**
 * The options of a run by today's names, with the defaults of those that came after it: a run of an earlier version
 * differs from one of today only in what was chosen.
 */
const configOf = ({ flow, config }: RunRecord): Readonly<Record<string, unknown>> =>
  Object.hasOwn(optionsOfFlow, flow) ? optionsOfFlow[flow]!.upgrade(config) : config;

/** How many folders two paths begin with that are the same. */
function commonFolders(a: string, b: string): number {
  const [x, y] = [a.split(sep), b.split(sep)];
  const end = x.findIndex((name, i) => name !== y[i]);
  return end < 0 ? x.length : end;
}

/** The run that trained what another one asks; of copies of it, the one beside that. */
export function trainingOf({ record, path }: FoundRun, runs: readonly FoundRun[]): FoundRun | undefined {
  if (record.trainedBy === undefined) return undefined;
  const trainings = runs.filter((run) => run.record.id === record.trainedBy);
  return trainings.toSorted((a, b) => commonFolders(b.path, path) - commonFolders(a.path, path))[0];
}

/** Places of runs that have the id of another one, as copied folders have: each id with all of its places. */
export function copiesOf(all: readonly RunValues[]): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const { run, facts } of all) {
    const { id } = run.record;
    places.set(id, [...(places.get(id) ?? []), String(facts.get('run'))]);
  }
  return new Map([...places].filter(([, found]) => found.length > 1));
}

/** The values of runs that were found together. @param folder where, for the names of their places */
export function valuesOf(runs: readonly FoundRun[], folder: string): RunValues[] {
  return runs.map((run) => {
    const { record, status, path } = run;
    const training = trainingOf(run, runs);
    const { id, flow, startedAt, seconds, attempts, commit, arclab, trainedBy, process, ranks = 1 } = record;
    const ownsFolder = [RUN_FILE, `${flow}_${RUN_FILE}`].includes(basename(path));
    const place = ownsFolder ? dirname(path) : path.replace(/_run\.json$/, '.json');
    const facts = {
      ...{ id, run: relative(folder, place) || '.', flow, status, startedAt, seconds, attempts, arclab },
      ...(commit === undefined ? {} : { commit }),
      ...(trainedBy === undefined ? {} : { trainedBy }),
      host: process.host,
      ranks,
    };
    return {
      run,
      facts: new Map<string, RunValue>(Object.entries(facts)),
      options: new Map([
        ...(training ? flatten(configOf(training.record)) : []),
        ...flatten(configOf(record)),
      ]),
      results: new Map(Object.entries(record.results)),
    };
  });
}

/** What a run has under a name, facts and results before options. */
export function runValue({ facts, results, options }: RunValues, name: string): RunValue | undefined {
  for (const values of [facts, results, options]) {
    const exact = values.get(name);
    if (exact !== undefined) return exact;
  }
  const wanted = plainName(name);
  for (const values of [facts, results, options]) {
    for (const [known, value] of values) if (plainName(known) === wanted) return value;
  }
  return undefined;
}

/** @throws {UserError} for a name that no run has anything under, with the nearest that some have */
export function assertKnown(name: string, all: readonly RunValues[], option: string): void {
  if (all.length === 0 || all.some((values) => runValue(values, name) !== undefined)) return;
  const known = [
    ...new Set(all.flatMap((v) => [...v.facts.keys(), ...v.results.keys(), ...v.options.keys()])),
  ];
  const nearest = nearestName(name, known);
  throw new UserError(
    `\`${option}\`: no run has an option or a result "${name}"${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
  );
}

/** Which runs are wanted, and in which order. */
export interface Selection {
  readonly where?: string | undefined;
  /** The name of an option, a result or a fact; runs without it come last. Default: when they began. */
  readonly sort?: string | undefined;
  readonly descending?: boolean | undefined;
}

/** The runs that fulfil a condition, sorted. @throws {UserError} for a condition that cannot be read or has an unknown name */
export function selectRuns(
  all: readonly RunValues[],
  { where, sort, descending = false }: Selection,
): RunValues[] {
  let chosen = [...all];
  if (where !== undefined) {
    const { condition, names } = parseWhere(where);
    for (const name of names) assertKnown(name, all, 'where');
    chosen = chosen.filter((values) => condition((name) => runValue(values, name)));
  }
  if (sort === undefined) return descending ? chosen.reverse() : chosen;
  assertKnown(sort, all, 'sort');
  const key = (values: RunValues) => runValue(values, sort);
  return chosen.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
    // numbers before texts: an order of its own for each type
    if (typeof x !== typeof y) return typeof x < typeof y ? -1 : 1;
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  });
}

/** Names of options in which some of these runs differ, in the order of first sight; `isPlace` names are left out. */
export function differingOptions(all: readonly RunValues[]): string[] {
  const names = [...new Set(all.flatMap(({ options }) => [...options.keys()]))];
  return names.filter((name) => {
    const values = all.map(({ options }) => options.get(name));
    return !isPlace(name) && values.some((value) => value !== values[0]);
  });
}

/** Options that say where a run is, not what. */
const PLACES = new Set(['outputDir', 'outputPath', 'checkpoint', 'adapterPath', 'htmlPath', 'verbose']);
const isPlace = (name: string): boolean => PLACES.has(name);

/** Results that a table shows before others, where there are any. */
const SHOWN = ['accuracy', 'pass_n', 'vote_1', 'vote_2', 'trainLoss', 'valLoss', 'bestValLoss', 'steps'];

/** Columns of a table of runs, when nothing else is asked for. */
export function usualColumns(all: readonly RunValues[]): string[] {
  // a flow has options that others do not: runs of one flow differ in what was chosen
  const flows = [...new Set(all.map(({ run }) => run.record.flow))];
  const ofFlow = (flow: string) => all.filter(({ run }) => run.record.flow === flow);
  const differing = [...new Set(flows.flatMap((flow) => differingOptions(ofFlow(flow))))];
  const results = SHOWN.filter((name) => all.some((values) => values.results.has(name)));
  return ['id', 'run', 'flow', 'status', ...differing, ...results, 'seconds'];
}

/** Rows of a table of runs. */
export const runRows = (
  all: readonly RunValues[],
  columns: readonly string[] = usualColumns(all),
): Record<string, RunValue | undefined>[] =>
  all.map((values) => Object.fromEntries(columns.map((name) => [name, runValue(values, name)])));
