/** @file What each kind of part does. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../common/errors.js';
import type { Hooks } from '../common/events.js';
import { type FineTuneEvent, type FineTuneOptions, fineTune } from '../experiments/fine-tune.js';
import type { GenerationEvent } from '../experiments/infer.js';
import { type InferEvaluateOptions, inferEvaluate } from '../experiments/infer-evaluate.js';
import { finite, runFileIn, runFileOf, runIdAt } from '../records/record.js';
import { decidingLoss } from '../training/best.js';
import type { PartResult } from './part-files.js';
import type { Part } from './plan.js';

/** What happens while a part runs. */
export type PartEvent = FineTuneEvent | GenerationEvent;

/** What a part is given. */
export interface PartContext extends Hooks<PartEvent> {
  /** What the parts that it needs came to, by id; undefined for one that failed for good. */
  readonly resultOf: (id: string) => PartResult | undefined;
  /** Options of the machine that come before those of the description. */
  readonly machine: Readonly<Record<string, unknown>>;
}

/** Does a part, or goes on with it. @throws {StoppedError} when the signal stopped it */
export type Handler = (part: Part, context: PartContext) => Promise<PartResult>;

/** Handlers by kind. */
export type Handlers = Readonly<Record<string, Handler>>;

/** Says that a part was stopped before its end; the same part goes on later. */
export class PartStopped extends UserError {}

/** A run that was dropped, or that begins with one that was. */
function isDropped({ run, keptBy, model }: Part, resultOf: PartContext['resultOf']): boolean {
  if (keptBy !== undefined) return !resultOf(keptBy)?.kept?.includes(run!);
  return model !== undefined && resultOf(model)?.dropped === true;
}

/** The model that a training begins with, where it goes on from another training. */
function beginningOf({ model }: Part, resultOf: PartContext['resultOf']): Record<string, unknown> {
  if (model === undefined) return {};
  const checkpoint = resultOf(model)!.checkpoint!;
  // a training of all weights leaves a model of its own
  const isAdapter = existsSync(join(checkpoint, 'adapter_config.json'));
  return isAdapter ? { adapterPath: checkpoint } : { modelPath: checkpoint };
}

async function train(part: Part, context: PartContext): Promise<PartResult> {
  const { resultOf, machine, onEvent, signal } = context;
  if (isDropped(part, resultOf)) return { dropped: true };
  const options = {
    ...part.options,
    ...beginningOf(part, resultOf),
    ...machine,
  } as unknown as FineTuneOptions;
  const { stopAt } = part;
  const stopping = new AbortController();
  const result = await fineTune({
    ...options,
    signal: signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal,
    onEvent(event) {
      if (event.type === 'validation' && stopAt !== undefined && event.point.step >= stopAt) stopping.abort();
      onEvent?.(event);
    },
  });
  const { history, checkpoint, steps, interrupted } = result;
  const isWhole = !interrupted || (stopAt !== undefined && steps >= stopAt);
  if (!isWhole) throw new PartStopped(`stopped at step ${steps}; the same command goes on`);
  const validation = history.validation.findLast(({ step }) => stopAt === undefined || step <= stopAt);
  const deciding = validation && decidingLoss(validation, options.metricForBestModel);
  const losses = { trainLoss: history.train.at(-1)?.loss, valLoss: validation?.loss };
  const { outputDir } = options;
  const record = runIdAt(runFileIn(outputDir, 'fine-tune'));
  return {
    checkpoint,
    ...(deciding !== undefined && Number.isFinite(deciding) ? { valLoss: deciding } : {}),
    ...(record === undefined ? {} : { record }),
    results: finite({ steps, ...losses }),
  };
}

async function evaluate(part: Part, context: PartContext): Promise<PartResult> {
  const { resultOf, machine, onEvent, signal } = context;
  if (isDropped(part, resultOf)) return { dropped: true };
  const { checkpoint } = resultOf(part.model!)!;
  const given = { ...part.options, ...machine, checkpoint } as unknown as InferEvaluateOptions;
  const { metrics, votedMetrics, outputPath } = await inferEvaluate({ ...given, onEvent, signal });
  const record = runIdAt(runFileOf(outputPath));
  return { ...(record === undefined ? {} : { record }), results: { ...votedMetrics, ...metrics } };
}

/** Keeps the runs with the lowest validation loss; the first in the plan of those that are equal. */
async function choose(part: Part, { resultOf }: PartContext): Promise<PartResult> {
  const trained = part.needs.flatMap((id) => {
    const result = resultOf(id);
    // the id of a training has its run in it
    return result?.valLoss === undefined || result.dropped
      ? []
      : [{ run: id.split('-')[1]!, loss: result.valLoss }];
  });
  const best = [...trained].sort((a, b) => a.loss - b.loss).slice(0, part.keep);
  return { kept: best.map(({ run }) => run) };
}

/** The kinds of parts that a sweep has. */
export const sweepHandlers: Handlers = { 'fine-tune': train, 'infer-evaluate': evaluate, choose };
