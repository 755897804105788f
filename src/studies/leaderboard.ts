/**
 * @file A leaderboard as a table of Markdown, each row a run: its metric with an interval over tasks, the commit, and
 * the commands that make it again; and the check that the table still says what the runs' predictions give.
 */
import { resolve } from 'node:path';
import { messageOf, UserError } from '../common/errors.js';
import { leaderboardOptions } from '../options/experiments.js';
import type { OptionsOf } from '../options/table.js';
import { findRuns } from '../records/find.js';
import { type RunValues, selectRuns, trainingOf, valuesOf } from '../records/values.js';
import { metricOf, predictionsOf } from './compare-experiments.js';

/** Options of {@link leaderboard}. */
export type LeaderboardOptions = Partial<OptionsOf<typeof leaderboardOptions.table>> & {
  /** Told of files that look like records and are none. */
  onNote?: (text: string) => void;
};

/** The cells of a row, as they are written. */
export interface LeaderboardRow {
  /** The id of the run that was measured. */
  readonly id: string;
  /** In percent, with its 95% interval. */
  readonly metric: string;
  /** Of the training and of the evaluation, where they differ. */
  readonly commit: string;
  readonly command: string;
}

/** Begins a leaderboard in a document; what it was made from is in it, so that it can be checked. */
const MARK = /<!-- arclab leaderboard (\{[^\n]*\}) -->/;

/** Digits of a commit that are shown. */
const SHORT = 10;

const percent = (value: number): string => (100 * value).toFixed(1);

function rowOf(
  of: RunValues,
  all: readonly RunValues[],
  metric: string,
): { row: LeaderboardRow; value: number } {
  const { record } = of.run;
  const training = trainingOf(
    of.run,
    all.map(({ run }) => run),
  )?.record;
  const records = training === undefined ? [record] : [training, record];
  const commits = records.map(({ commit = 'none' }) =>
    commit.replace(/^[0-9a-f]{40}/, (all) => all.slice(0, SHORT)),
  );
  const { difference, low, high } = metricOf(of, metric);
  return {
    value: difference,
    row: {
      id: record.id,
      metric: `${percent(difference)} [${percent(low)}, ${percent(high)}]`,
      commit: [...new Set(commits)].join(', '),
      command: records.map(({ command }) => command).join(' && '),
    },
  };
}

/** Runs below a folder that have predictions of solved tasks. */
function measuredRuns(
  folder: string,
  onNote: (text: string) => void = () => {},
): { all: RunValues[]; measured: RunValues[] } {
  const all = valuesOf(findRuns(folder, { onNote }), folder);
  return {
    all,
    measured: all.filter(({ run }) => run.status === 'done' && predictionsOf(run) !== undefined),
  };
}

/** What stands in a cell of Markdown. */
const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|');

function lineOf({ id, metric, commit, command }: LeaderboardRow, place: number): string {
  return `| ${place} | ${id} | ${metric} | ${commit} | \`${cell(command)}\` |`;
}

/**
 * The runs of a folder with the best first, as Markdown.
 * @throws {UserError} when no run was measured, or not in this metric
 */
export function leaderboard({ onNote, ...options }: LeaderboardOptions = {}): {
  rows: LeaderboardRow[];
  markdown: string;
} {
  const o = leaderboardOptions.check(options, onNote);
  const { all, measured } = measuredRuns(o.folder, onNote);
  const chosen = selectRuns(measured, { where: o.where });
  if (chosen.length === 0) throw new UserError(`${o.folder}: no run with predictions of solved tasks fits`);
  const ranked = chosen
    .map((of) => rowOf(of, all, o.metric))
    .sort((a, b) => b.value - a.value)
    .slice(0, o.limit === -1 ? undefined : o.limit);
  const rows = ranked.map(({ row }) => row);
  const mark = `<!-- arclab leaderboard ${JSON.stringify({ folder: o.folder, metric: o.metric })} -->`;
  const head = `| | run | ${o.metric} [95%] | commit | command |\n| --- | --- | --- | --- | --- |`;
  return { rows, markdown: [mark, head, ...rows.map((row, i) => lineOf(row, i + 1))].join('\n') };
}

/** A row that does not say what its run's files give. */
export interface LeaderboardFault {
  readonly run: string;
  readonly recorded: string;
  readonly now: string;
}

/** What the check of a document's leaderboards found. */
export interface LeaderboardCheck {
  /** How many rows were checked. */
  readonly rows: number;
  readonly faults: readonly LeaderboardFault[];
}

const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((text) => text.trim().replaceAll('\\|', '|'));

/** The tables behind the marks of a document: what they were made from, and the cells of their rows. */
function tablesOf(markdown: string): { made: { folder: string; metric: string }; rows: string[][] }[] {
  return markdown.split(new RegExp(`(?=${MARK.source.replace(/[()]/g, '')})`)).flatMap((part) => {
    const match = MARK.exec(part);
    if (match === null || match.index > 0) return [];
    const lines = part.slice(match[0].length).trimStart().split('\n');
    const end = lines.findIndex((line) => !line.trimStart().startsWith('|'));
    const table = (end < 0 ? lines : lines.slice(0, end)).slice(2);
    return [{ made: madeFrom(match[1]!), rows: table.map(cellsOf) }];
  });
}

/** What a mark says that its table was made from. */
function madeFrom(mark: string): { folder: string; metric: string } {
  const { folder, metric } = JSON.parse(mark) as Record<string, unknown>;
  if (typeof folder === 'string' && typeof metric === 'string') return { folder, metric };
  throw new Error(`expected a folder and a metric, found ${mark}`);
}

/**
 * Checks the leaderboards of a document: that the run of each row is there, that its predictions give the metric and
 * its interval, that commit and command are those of its record, and that better rows stand above.
 * @param folder of the document, from which its folders of runs are named
 * @throws {UserError} when a mark cannot be read
 */
export function checkLeaderboards(markdown: string, folder: string): LeaderboardCheck {
  const faults: LeaderboardFault[] = [];
  let count = 0;
  let tables: ReturnType<typeof tablesOf>;
  try {
    tables = tablesOf(markdown);
  } catch (error) {
    throw new UserError(`the mark of a leaderboard cannot be read: ${messageOf(error)}`);
  }
  for (const { made, rows } of tables) {
    const { all, measured } = measuredRuns(resolve(folder, made.folder));
    let above = Number.POSITIVE_INFINITY;
    for (const [, id = '', ...recorded] of rows) {
      count++;
      const run = measured.find(({ run: { record } }) => record.id === id);
      if (run === undefined) {
        faults.push({ run: id, recorded: recorded[0] ?? '', now: `no such run below ${made.folder}` });
        continue;
      }
      const { row, value } = rowOf(run, all, made.metric);
      const now = [row.metric, row.commit, `\`${row.command.replace(/\s+/g, ' ')}\``];
      for (const [i, text] of now.entries()) {
        // a formatter may have changed the spaces
        if (text !== recorded[i]) faults.push({ run: id, recorded: recorded[i] ?? '', now: text });
      }
      if (value > above) faults.push({ run: id, recorded: 'below a row', now: 'better than it' });
      above = value;
    }
  }
  return { rows: count, faults };
}
