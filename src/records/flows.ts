/** @file What the record of each flow says. In a Kaggle notebook `templates/kaggle/records.ts` has this module's place. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { leafValue } from '../options/call.js';
import { inferEvaluateOptions } from '../options/inference.js';
import { startOptions } from '../options/other.js';
import { submitOptions } from '../options/submit.js';
import { leavesOf, type OptionTable } from '../options/table.js';
import { fineTuneOptions } from '../options/training.js';
import { bestValidation } from '../training/best.js';
import { type Hparam, writeHparams, writeHparamsEnd } from '../training/hparams.js';
import { METRICS_FILE } from '../training/metrics-log.js';
import type { FineTuneResult } from '../training/run.js';
import { recordOfCheckpoint, recordRun, runFileIn, runFileOf, runIdAt } from './record.js';

/** The folder of event files in that of a training. */
const LOGS = 'logs';

/** Options as values that TensorBoard sorts by: lists and objects as text. */
function hparamsOf(table: OptionTable, config: object): Record<string, Hparam> {
  return Object.fromEntries(
    leavesOf(table).flatMap((leaf): [string, Hparam][] => {
      const value = leafValue(leaf, config as Record<string, unknown>);
      if (value === undefined || value === null) return [];
      return [[leaf.name, typeof value === 'object' ? JSON.stringify(value) : (value as Hparam)]];
    }),
  );
}

/** What is known of a training before its first step. */
interface TrainingFacts {
  readonly given: object;
  readonly config: { readonly outputDir: string; readonly metricForBestModel?: string | undefined };
  /** Digests of data sets, model and adapter, by path or name. */
  readonly data: Readonly<Record<string, string>>;
  /** How many processes share it. */
  readonly ranks: number;
}

/** Records a training in its folder: `run.json`, and its options for TensorBoard's HParams page. */
export function recordTraining(
  { given, config, data, ranks }: TrainingFacts,
  run: () => Promise<FineTuneResult>,
): Promise<FineTuneResult> {
  const { outputDir, metricForBestModel } = config;
  const { table } = fineTuneOptions;
  const logs = join(outputDir, LOGS);
  return recordRun(
    { path: runFileIn(outputDir, 'fine-tune'), flow: 'fine-tune', table, given, config, data, ranks },
    async (id) => {
      writeHparams(logs, { run: id, ...hparamsOf(table, config) });
      const result = await run();
      if (!result.interrupted) writeHparamsEnd(logs, { step: result.steps });
      return result;
    },
    ({ steps, interrupted, history, checkpoint }) => ({
      status: interrupted ? 'stopped' : 'done',
      results: {
        steps,
        trainLoss: history.train.at(-1)?.loss,
        valLoss: history.validation.at(-1)?.loss,
        bestValLoss: bestValidation(history.validation, metricForBestModel)?.loss,
      },
      files: { metrics: join(outputDir, METRICS_FILE), logs, checkpoint },
    }),
  );
}

/** What is known of an evaluation before it infers. */
interface EvaluationFacts {
  readonly given: object;
  readonly config: { readonly outputPath: string; readonly datasetPath: string };
  readonly checkpoint: string;
  readonly data: Readonly<Record<string, string>>;
  readonly details: string;
  /** How many processes share it. */
  readonly ranks: number;
}

/** What an evaluation measures. */
interface Evaluated {
  readonly metrics: Readonly<Record<string, number>>;
  readonly votedMetrics: Readonly<Record<string, number>>;
}

/** Metrics of all predictions, and those of the vote that only it has. */
const measured = ({ metrics, votedMetrics }: Evaluated): Record<string, number> => ({
  ...votedMetrics,
  ...metrics,
});

/**
 * Records an evaluation beside its predictions, and shows what it measured with the training of the checkpoint in
 * TensorBoard.
 */
export function recordEvaluation<T extends Evaluated & { inferred: boolean }>(
  { given, config, checkpoint, data, details, ranks }: EvaluationFacts,
  run: () => Promise<T>,
): Promise<T> {
  const { outputPath } = config;
  const training = recordOfCheckpoint(checkpoint);
  const changedAt = () => statSync(outputPath, { throwIfNoEntry: false })?.mtimeMs;
  const before = changedAt();
  return recordRun(
    {
      path: runFileOf(outputPath),
      isUntouched: () => before !== undefined && changedAt() === before,
      flow: 'infer-evaluate',
      table: inferEvaluateOptions.table,
      given,
      config: { ...config, checkpoint },
      data,
      trainedBy: runIdAt(training),
      ranks,
    },
    async () => {
      const result = await run();
      const logs = join(checkpoint, '..', LOGS);
      if (result.inferred && existsSync(logs)) {
        const step = Number(/^checkpoint-(\d+)$/.exec(basename(checkpoint))?.[1] ?? 0);
        const scalars = Object.fromEntries(
          Object.entries(measured(result)).map(([name, value]) => [`eval/${name}`, value]),
        );
        writeHparamsEnd(logs, { step, scalars });
      }
      return result;
    },
    (result) => ({
      isUnchanged: !result.inferred,
      results: measured(result),
      // where the tasks are from here, from whatever folder the runs are compared
      files: { predictions: outputPath, details, dataset: config.datasetPath },
    }),
  );
}

/** Records the whole experiment of `start` in its folder; its training has a record of its own. */
export function recordStart<
  T extends {
    after: Readonly<Record<string, number>>;
    seconds: number;
    submissionPath: string;
    reportPath: string;
  },
>({ given, config }: { given: object; config: { outputDir: string } }, run: () => Promise<T>): Promise<T> {
  const { outputDir } = config;
  return recordRun(
    {
      path: runFileIn(outputDir, 'start'),
      flow: 'start',
      table: startOptions.table,
      given,
      config,
      // its tasks are made from the seed
      data: {},
    },
    run,
    ({ after, submissionPath, reportPath }) => ({
      results: after,
      files: {
        predictions: join(outputDir, 'inference_after.json'),
        dataset: join(outputDir, 'val.json'),
        metrics: join(outputDir, 'metrics.json'),
        submission: submissionPath,
        report: reportPath,
      },
    }),
  );
}

/** Records a submission in its folder. */
export function recordSubmission<
  T extends {
    submissionPath: string;
    testInputs: number;
    predictions: number;
    unanswered: number;
    metrics?: Readonly<Record<string, number>> | undefined;
    deadline: boolean;
  },
>(
  facts: { given: object; config: { outputDir: string }; data: () => Readonly<Record<string, string>> },
  run: () => Promise<T>,
): Promise<T> {
  const { given, config, data } = facts;
  return recordRun(
    {
      path: runFileIn(config.outputDir, 'submit'),
      flow: 'submit',
      table: submitOptions.table,
      given,
      config,
      data: data(),
    },
    run,
    ({ submissionPath, testInputs, predictions, unanswered, metrics = {} }) => ({
      results: { testInputs, predictions, unanswered, ...metrics },
      files: { submission: submissionPath },
    }),
  );
}
