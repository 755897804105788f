/** @file What a sweep has come to, run by run. */
import { logPath, type PartProgress, type PartStatus, stateOf, statusOf } from './part-files.js';
import type { Part, PlannedRun, SweepPlan } from './plan.js';

/** How far a run of a sweep is. */
export interface SweepRunStatus {
  readonly run: PlannedRun;
  /** Of the part that it is at. */
  readonly status: PartStatus;
  readonly part: string;
  readonly progress?: PartProgress;
  readonly host?: string;
  readonly attempts: number;
  readonly error?: string;
  readonly log: string;
  /** Losses of the training and metrics of the evaluation. */
  readonly results: Readonly<Record<string, number>>;
  /** The id of the record of its training. */
  readonly record?: string;
}

/** The parts of a run in their order: those of its training, then its evaluation. */
function partsOf({ training, evaluation }: PlannedRun, plan: SweepPlan): Part[] {
  const trained = plan.parts.find(({ id }) => id === training)!;
  const own = plan.parts.filter(({ kind, run }) => kind === trained.kind && run === trained.run);
  const evaluating = plan.parts.filter(({ id }) => id === evaluation);
  return [...own, ...evaluating];
}

/** How far each run of a sweep is. */
export function sweepStatus(plan: SweepPlan): SweepRunStatus[] {
  return plan.runs.map((run) => {
    const parts = partsOf(run, plan).map((part) => ({ part, state: stateOf(plan.outputDir, part.id) }));
    const statuses = parts.map(({ state }) => statusOf(state));
    const next = statuses.findIndex((status) => status !== 'done');
    const at = parts[next < 0 ? parts.length - 1 : next]!;
    const results = Object.assign({}, ...parts.map(({ state }) => state?.result?.results ?? {}));
    const record = parts.find(({ state }) => state?.result?.record)?.state?.result?.record;
    const { progress, process, error, attempts = 0 } = at.state ?? {};
    return {
      run,
      status: next < 0 ? 'done' : statuses[next]!,
      part: at.part.id,
      attempts,
      log: logPath(plan.outputDir, at.part.id),
      results,
      ...(progress && next >= 0 ? { progress } : {}),
      ...(process ? { host: process.host } : {}),
      ...(error === undefined ? {} : { error }),
      ...(record === undefined ? {} : { record }),
    };
  });
}

/** Results that a table shows. */
const SHOWN = ['steps', 'trainLoss', 'valLoss', 'accuracy', 'pass_n', 'vote_1', 'vote_2'];

/** Rows of a table: the parameters of each run, how far it is, and what it measured. */
export function sweepRows(status: readonly SweepRunStatus[]): Record<string, string | number | boolean>[] {
  return status.map(({ run, status, part, progress, results, error }) => ({
    run: run.id,
    ...(run.variant === '' ? {} : { variant: run.variant }),
    ...Object.fromEntries(
      Object.entries(run.parameters).map(([name, value]) => [
        name,
        typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean),
      ]),
    ),
    status,
    ...Object.fromEntries(
      SHOWN.flatMap((name) => (results[name] === undefined ? [] : [[name, results[name]!]])),
    ),
    at:
      status === 'done' || status === 'dropped'
        ? ''
        : `${part}${progress ? ` ${progress.finished}/${progress.total}` : ''}`,
    ...(error === undefined || status === 'done' ? {} : { error }),
  }));
}

/** How many runs are in each status: `12 done, 3 running`. */
export function sweepCounts(status: readonly SweepRunStatus[]): string {
  const names = [...new Set(status.map((one) => one.status))];
  return names.map((name) => `${status.filter((one) => one.status === name).length} ${name}`).join(', ');
}
