/** @file Runs a part of a sweep to its end once, whoever else tries it and however often it was killed before. */
import { firstLineOf, StoppedError, UserError } from '../common/errors.js';
import { type LockTarget, withLock } from '../common/lock.js';
import { thisProcess } from '../common/process-identity.js';
import { formatMetrics } from '../evaluation/metrics.js';
import { type Handlers, type PartContext, type PartEvent, PartStopped } from './handlers.js';
import {
  log,
  type PartProgress,
  type PartResult,
  type PartState,
  partPath,
  resultOf,
  saveState,
  stateOf,
} from './part-files.js';
import type { Part, SweepPlan } from './plan.js';

/** How a part is followed and stopped. */
export interface RunPartOptions extends Omit<PartContext, 'resultOf'> {
  readonly handlers: Handlers;
  readonly onProgress?: (progress: PartProgress) => void;
  readonly onLog?: (text: string) => void;
  /** How many more failures are forgiven, those of workers that died among them; left out: this one is the last. */
  readonly retriesLeft?: number;
}

/** Milliseconds between two times that progress is written down. */
const SHOW_EVERY = 2000;

/** What an event says of how much is done. */
function progressOf(event: PartEvent, total: { steps: number }): PartProgress | undefined {
  if (event.type === 'start') total.steps = event.maxSteps;
  if (event.type === 'step')
    return { finished: event.report.step, total: total.steps, loss: event.report.loss };
  return event.type === 'progress' ? { finished: event.finished, total: event.total } : undefined;
}

/** What an event writes into the log. */
function lineOf(event: PartEvent): string | undefined {
  if (event.type === 'note') return event.text;
  if (event.type === 'train') return `step ${event.point.step}: loss ${event.point.loss.toFixed(4)}`;
  if (event.type === 'validation')
    return `step ${event.point.step}: validation loss ${event.point.loss.toFixed(4)}`;
  return event.type === 'checkpoint' ? `checkpoint ${event.path}` : undefined;
}

/**
 * Runs a part, or goes on with it, unless it is done: then what it came to is returned.
 * @throws {InUseError} when another process runs it; {PartStopped} when the signal stopped it; what its flow throws
 */
export async function runPart(plan: SweepPlan, part: Part, options: RunPartOptions): Promise<PartResult> {
  const { outputDir } = plan;
  const known = resultOf(outputDir, part.id);
  if (known) return known;
  const target: LockTarget = { path: partPath(outputDir, part.id), kind: 'file', option: '`outputDir`' };
  return withLock(target, (signal) => attempt(plan, part, { ...options, signal }), options.signal);
}

async function attempt(plan: SweepPlan, part: Part, options: RunPartOptions): Promise<PartResult> {
  const { outputDir } = plan;
  const { handlers, machine, signal, onEvent, onProgress, onLog, retriesLeft } = options;
  const before = stateOf(outputDir, part.id);
  // another process may have ended it while this one waited for the lock
  if (before?.status === 'done') return before.result!;
  // its process is gone without a word: this one has the lock
  const killings = (before?.killings ?? 0) + (before?.status === 'running' ? 1 : 0);
  const isLast = retriesLeft === undefined || killings >= retriesLeft;
  const begun: PartState = {
    status: 'running',
    attempts: (before?.attempts ?? 0) + 1,
    startedAt: new Date().toISOString(),
    process: thisProcess(),
    ...(killings > 0 ? { killings } : {}),
  };
  const save = (state: Partial<PartState>) => saveState(outputDir, part.id, { ...begun, ...state });
  const write = (text: string) => {
    log(outputDir, part.id, text);
    onLog?.(text);
  };
  if (retriesLeft !== undefined && killings > retriesLeft) {
    const where = `the last on ${before!.process.host}`;
    const error = `not tried again: ${killings} workers died in it, ${where}; what ends them, such as too little memory?`;
    save({ ...before!, status: 'failed', killings, error, isFinal: true });
    write(`failed: ${error}`);
    throw new UserError(error);
  }
  save({});
  write(`attempt ${begun.attempts} on ${begun.process.host}, process ${begun.process.pid}`);
  const total = { steps: 0 };
  let shownAt = 0;
  const follow = (event: PartEvent): void => {
    onEvent?.(event);
    const line = lineOf(event);
    if (line !== undefined) write(line);
    const progress = progressOf(event, total);
    if (progress === undefined || performance.now() - shownAt < SHOW_EVERY) return;
    shownAt = performance.now();
    save({ progress });
    onProgress?.(progress);
  };
  try {
    const handler = handlers[part.kind]!;
    const result = await handler(part, {
      machine,
      signal,
      onEvent: follow,
      resultOf: (id) => resultOf(outputDir, id),
    });
    save({ status: 'done', endedAt: new Date().toISOString(), result });
    // after the state: a kill between the two leaves no line too many
    write(result.dropped ? 'dropped' : `done${result.results ? `: ${formatResults(result.results)}` : ''}`);
    return result;
  } catch (error) {
    const isStopped = error instanceof PartStopped || error instanceof StoppedError;
    const message = firstLineOf(error);
    write(isStopped ? message : `failed: ${message}`);
    const end = { endedAt: new Date().toISOString(), error: message };
    save(isStopped ? { status: 'stopped', ...end } : { status: 'failed', ...end, isFinal: isLast });
    throw error;
  }
}

function formatResults(results: Readonly<Record<string, number>>): string {
  return results.accuracy === undefined
    ? Object.entries(results)
        .map(([name, value]) => `${name} ${Number(value.toFixed(4))}`)
        .join(', ')
    : formatMetrics(results);
}
