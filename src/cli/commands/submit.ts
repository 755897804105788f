import { formatDuration } from '../../common/duration.js';
import { OptionError } from '../../common/option-names.js';
import { textTable } from '../../display/tables.js';
import { formatMetrics } from '../../evaluation/metrics.js';
import { submitOptions } from '../../options/submit.js';
import { defineOptions } from '../../options/table.js';
import { checkSubmission } from '../../submit/check.js';
import { forecastRows, forecastSubmission } from '../../submit/forecast.js';
import { type SubmitFailure, type SubmitOptions, type SubmitResult, submit } from '../../submit/submit.js';
import type { CommandFile } from '../command.js';
import { spellFlags } from '../flags.js';
import { stoppable } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';
import { terminalProgress } from '../terminal-progress.js';

/** A check reads a submission and makes none, so that it needs no model. */
const terminalOptions = defineOptions({
  check: {
    type: 'string',
    value: 'file',
    description: 'only say whether this is a valid submission for `challengesPath`',
  },
  plan: {
    type: 'array',
    items: { type: 'string' },
    minItems: 1,
    value: 'machines',
    description:
      'only say what is predicted for machines such as T4x2 and L4x4: seconds for each task, how many are answered within `timeBudget`, memory; no model runs',
  },
  ...verboseOptions.table,
});

type Options = SubmitOptions & { check?: string; plan?: string[]; verbose?: boolean };

async function run(_: string[], { check, plan, verbose: __, ...options }: Options): Promise<void> {
  if (check !== undefined) return printCheck(check, options.challengesPath);
  if (plan !== undefined) {
    const { rows, source } = forecastRows(await forecastSubmission(options, plan));
    process.stdout.write(`${textTable(rows)}\n${source}\n`);
    return;
  }
  const { onEvent, stop } = terminalProgress();
  const result = await stoppable((signal) => submit({ ...options, onEvent, signal }), {
    onStop: () =>
      onEvent({
        type: 'note',
        text: 'stopping: the submission is written with the predictions so far (once more: at once)',
      }),
  }).finally(stop);
  report(result);
}

function printCheck(submissionPath: string, challengesPath: string | undefined): void {
  if (challengesPath === undefined) throw new OptionError('challengesPath', { hint: 'it is missing' });
  const { tasks, testInputs, problem } = checkSubmission({ submissionPath, challengesPath });
  process.stdout.write(
    problem ? `${problem}\n` : `${submissionPath}: valid, ${tasks} tasks, ${testInputs} test inputs\n`,
  );
  process.exitCode = problem ? 1 : 0;
}

function report(result: SubmitResult): void {
  const { submissionPath, testInputs, predictions, unanswered, failures, deadline, metrics, seconds } =
    result;
  process.stdout.write(
    `${submissionPath}: ${testInputs} test inputs, ${predictions} predictions in ${formatDuration(seconds)}` +
      `${deadline ? ' (time was up)' : ''}${unanswered > 0 ? `, ${unanswered} test inputs have only attempts by simple rules` : ''}\n`,
  );
  if (metrics) process.stdout.write(`${formatMetrics(metrics)}\n`);
  if (failures.length === 0) return;
  process.stdout.write(`${spellFlags(failureTable(failures))}\n`);
  process.exitCode = 1;
}

/** The longest message in a table, and the most rows; failures.json has everything. */
const SHOWN = { characters: 120, rows: 30 };

function failureTable(failures: readonly SubmitFailure[]): string {
  const rows = failures.slice(0, SHOWN.rows).map(({ stage, taskId, testIndex, count, message }) => ({
    stage,
    task: taskId === undefined ? '' : `${taskId}/${testIndex}`,
    times: count,
    message: message.length > SHOWN.characters ? `${message.slice(0, SHOWN.characters - 1)}…` : message,
  }));
  const more = failures.length - rows.length;
  return `${textTable(rows)}${more > 0 ? `\n… and ${more} more in failures.json` : ''}`;
}

export default { options: submitOptions, terminalOptions, run } satisfies CommandFile;
