/** @file The end of a submission: its files, and what it came to. */
import { readJson } from '../common/files.js';
import { computeMetrics } from '../evaluation/metrics.js';
import { validateSubmission } from '../evaluation/submission.js';
import { rankingMetrics } from '../evaluation/voting.js';
import type { SubmitFailure, SubmitLedger } from './ledger.js';
import type { SubmitConfig } from './options.js';

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

/** Writes the last submission, the predictions and the failures, and says what it came to. */
export function finish(
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
            ...rankingMetrics(ledger.ranking(), tasks),
          },
        }
      : {}),
    seconds: seconds(),
  };
}
