/**
 * A submission, top to bottom: check everything that can be known without the model, put a valid submission on
 * disk, fine-tune on the test tasks if asked, predict in rounds until all is done or time is up, vote, write.
 * This process never computes: models live in child processes that it can end (see submit-predict.ts).
 */
import { join } from 'node:path';
import { loadTasks } from '../arc/dataset.js';
import { type Clock, systemClock } from '../common/clock.js';
import { UserError } from '../common/errors.js';
import { assertWritableFolder, buildFile, readJson } from '../common/files.js';
import { computeMetrics } from '../evaluation/metrics.js';
import { validateSubmission } from '../evaluation/submission.js';
import { voteMetrics } from '../evaluation/voting.js';
import { resolveModel } from '../models/index.js';
import { formatDuration } from '../training/progress.js';
import { largestGrid, openPrompts, promptKindFor } from './model-session.js';
import { fitPrompt } from './predictions.js';
import { type FineTuneProgress, fineTuneGroups } from './submit-fine-tune.js';
import { type SubmitFailure, SubmitLedger } from './submit-ledger.js';
import {
  checkTimeBudget,
  endingSeconds,
  fineTuningOptions,
  type SubmitConfig,
  type SubmitOptions,
  submitConfig,
  workerConfig,
} from './submit-options.js';
import { PredictionPlan } from './submit-plan.js';
import { predictAll, type Slot } from './submit-predict.js';
import { startWorker } from './submit-process.js';
import { makeGroups, makeSlots } from './submit-slots.js';

export type { SubmitFailure } from './submit-ledger.js';
export { type SubmitOptions, submitDefaults } from './submit-options.js';

/** Where a submission is, for a progress bar. */
export interface SubmitProgress {
  /** Predictions that are done, and those that are wanted. */
  readonly done: number;
  readonly total: number;
  /** About how many predictions for each test input there will be, at the speed so far. */
  readonly perInput: number;
  /** Seconds until the time budget ends; Infinity without one. */
  readonly secondsLeft: number;
  /** Seconds until all predictions would be there, at the speed so far. */
  readonly secondsNeeded: number;
  readonly failures: number;
}

/** How a program follows a submission and stops it. */
export interface SubmitHooks {
  onNote?: (text: string) => void;
  onFineTuning?: (progress: FineTuneProgress & { secondsLeft: number }) => void;
  onPredicting?: (progress: SubmitProgress) => void;
  /** When aborted, the submission is written with what there is. */
  signal?: AbortSignal;
}

/** What a test may put in place of the real thing. */
export interface SubmitParts {
  clock?: Clock;
  /** The bundle that child processes run. */
  workerFile?: string;
  /** A child that gives no sign of life for so long is ended. */
  stallSeconds?: number;
}

/** What a submission came to. */
export interface SubmitResult {
  readonly submissionPath: string;
  readonly testInputs: number;
  readonly predictions: number;
  /** Test inputs whose attempts come from no model. */
  readonly unanswered: number;
  /** Everything that went wrong; empty when nothing did. */
  readonly failures: readonly SubmitFailure[];
  /** True when time was up before all predictions were made. */
  readonly deadline: boolean;
  /** With known outputs: the metrics of the attempts, and vote_1 and vote_2. */
  readonly metrics?: Record<string, number>;
  readonly seconds: number;
}

/** Seconds between two writes of the submission. */
const WRITE_EVERY = 10;
/** Seconds between two signs of progress. */
const SHOW_EVERY = 0.2;

/** Loading a large model from a slow disk gives no sign of life for minutes. */
const STALL = { most: 600, least: 20, part: 0.2 };

/**
 * Makes `submission.json` for the test challenges. From the first second on there is a valid one on disk, and
 * whatever happens it has the best predictions so far; what went wrong is in the result and in `failures.json`.
 * The same options and seed give the same file whenever no time budget ends it, with any number of processes.
 * @throws {UserError} for every mistake in the options or files, before anything is written or loaded
 */
export async function submit(
  options: SubmitOptions & SubmitHooks,
  parts: SubmitParts = {},
): Promise<SubmitResult> {
  const { onNote = () => {}, onFineTuning, onPredicting, signal, ...given } = options;
  const clock = parts.clock ?? systemClock;
  const start = clock.now();
  const config = submitConfig(given);
  const kind = promptKindFor(config.promptVersion, ['output-from-examples'], 'submit');
  const tasks = loadTasks(config.challengesPath);
  assertWritableFolder(config.outputDir, '--output_dir');
  const session = await openPrompts({ ...config, adapterPath: undefined });
  const adapter = config.adapterPath === undefined ? null : await resolveModel(config.adapterPath);
  checkTimeBudget(config, session.folder);
  const slots = makeSlots(config);
  const groups = makeGroups(tasks, config, slots, adapter);

  const file = (name: string) => join(config.outputDir, name);
  const ledger = new SubmitLedger(
    tasks,
    {
      submission: file('submission.json'),
      predictions: file('submission_task_results.json'),
      failures: file('failures.json'),
    },
    config.method,
  );
  if (!ledger.saveSubmission()) throw new UserError(ledger.failures[0]!.message);

  const { timeBudget = Number.POSITIVE_INFINITY } = config;
  const secondsLeft = () => start + timeBudget - clock.now();
  const ending = new AbortController();
  let deadline = false;
  const cancelDeadline =
    timeBudget === Number.POSITIVE_INFINITY
      ? () => {}
      : clock.after(secondsLeft() - endingSeconds(timeBudget), () => {
          deadline = true;
          ending.abort();
        });
  const onStop = () => {
    ledger.fail({ stage: 'stopped', message: 'the submission was stopped before it was done' });
    ending.abort();
  };
  if (signal?.aborted) onStop();
  signal?.addEventListener('abort', onStop, { once: true });

  const startSlot = ({ device }: Slot) =>
    startWorker({
      file: parts.workerFile ?? buildFile('submit-worker.cjs'),
      config: { ...workerConfig(config), ...(device === undefined ? {} : { device }) },
      stallSeconds:
        parts.stallSeconds ?? Math.max(STALL.least, Math.min(STALL.most, STALL.part * timeBudget)),
      clock,
    });
  try {
    const tuned =
      config.fineTuneSteps === 0 || ending.signal.aborted
        ? groups
        : await fineTuneGroups({
            groups,
            slots,
            start: startSlot,
            options: fineTuningOptions({ ...config, adapterPath: adapter ?? undefined }),
            outputDir: file('fine-tuning'),
            seconds: config.fineTuneShare * secondsLeft(),
            ledger,
            signal: ending.signal,
            clock,
            onNote,
            onProgress: (progress) => onFineTuning?.({ ...progress, secondsLeft: secondsLeft() }),
          });

    const prompts = session.builder(kind);
    const plan = new PredictionPlan(
      tasks,
      config.predictionsPerTask,
      (task, testIndex) =>
        fitPrompt(prompts, task, testIndex, session.maxSeqLen - session.gridTokens(largestGrid(task)))?.tokens
          .length ?? session.maxSeqLen,
      clock,
    );
    let lastWrite = clock.now();
    let lastShown = Number.NEGATIVE_INFINITY;
    await predictAll({
      items: plan.items,
      groups: tuned,
      slots,
      start: startSlot,
      batchSize: config.batchSize,
      ledger,
      signal: ending.signal,
      onNote,
      onItem(item) {
        plan.done(item);
        if (onPredicting && (plan.finished || clock.now() - lastShown >= SHOW_EVERY)) {
          lastShown = clock.now();
          onPredicting({ ...plan.progress(secondsLeft()), failures: ledger.failures.length });
        }
        if (clock.now() - lastWrite < WRITE_EVERY) return;
        ledger.saveSubmission();
        lastWrite = clock.now();
      },
    });
  } finally {
    cancelDeadline();
    signal?.removeEventListener('abort', onStop);
  }
  const used = clock.now() - start;
  if (!ending.signal.aborted && used < timeBudget / 2 && timeBudget < Number.POSITIVE_INFINITY) {
    const budget = `${formatDuration(used)} of ${formatDuration(timeBudget)}`;
    onNote(
      `done in ${budget}: a larger --predictions_per_task (${config.predictionsPerTask} now) would use the rest`,
    );
  }
  return finish(ledger, config, { deadline, seconds: () => clock.now() - start });
}

/** Writes the last submission, the predictions and the failures, and says what it came to. */
function finish(
  ledger: SubmitLedger,
  config: SubmitConfig,
  { deadline, seconds }: { deadline: boolean; seconds: () => number },
): SubmitResult {
  const { tasks, files } = ledger;
  // the submission first: the disk may be full after it
  ledger.saveSubmission();
  for (const { taskId, testIndex } of ledger.unanswered()) {
    if (
      ledger.failures.some((f) => f.stage === 'predict' && f.taskId === taskId && f.testIndex === testIndex)
    )
      continue;
    const message = deadline ? 'no answer that is a grid before time was up' : 'no answer that is a grid';
    ledger.fail({ stage: 'predict', taskId, testIndex, message });
  }
  ledger.savePredictions();
  ledger.saveFailures();
  validateSubmission(readJson(files.submission, 'a submission'), tasks, files.submission);
  const solved = [...tasks.values()].every(({ test }) => test.every(({ output }) => output !== undefined));
  const predictions = ledger.predictions();
  const answers = new Map(
    [...ledger.answers()].map(([id, inputs]) => [id, inputs.map((list) => list.slice(0, 2))]),
  );
  return {
    submissionPath: files.submission,
    testInputs: [...tasks.values()].reduce((sum, { test }) => sum + test.length, 0),
    predictions: predictions.length,
    unanswered: ledger.unanswered().length,
    failures: ledger.failures,
    deadline,
    ...(solved
      ? {
          metrics: {
            ...computeMetrics(answers, tasks, config.challengesPath).overall,
            ...voteMetrics(predictions, tasks, { ns: [1, 2], method: config.method }),
          },
        }
      : {}),
    seconds: seconds(),
  };
}
