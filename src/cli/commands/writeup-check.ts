import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { NotebookRun } from '../../../kernel/runner/index.js';
import { UserError } from '../../common/errors.js';
import { readText } from '../../common/files.js';
import { RERUN_VARIABLE } from '../../common/rerun.js';
import { textTable } from '../../display/tables.js';
import { checkLeaderboards, type LeaderboardCheck } from '../../studies/leaderboard.js';
import { type CheckResult, compareRuns } from '../../writeup/check.js';
import { readNotebookJson, sourceText } from '../../writeup/notebook-json.js';
import { type CommandFile, number } from '../command.js';
import { runProgress } from '../run-progress.js';

interface Options {
  tolerance: number;
  kernel?: string;
  timeout?: number;
  against?: string;
}

/** Runs a copy of the notebook where the notebook is. @returns the notebook with its new outputs */
async function rerun(path: string, { kernel, timeout }: Options) {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-check-'));
  const progress = runProgress();
  const run = new NotebookRun({
    path,
    output: join(folder, basename(path)),
    onEvent: progress.onEvent,
    ...(kernel !== undefined && { kernel }),
    ...(timeout !== undefined && { timeout }),
  });
  // what is older is no result of this run: experiments neither reuse nor continue it
  process.env[RERUN_VARIABLE] = String(Date.now());
  const interrupt = () => run.interrupt();
  // who sends these waits for no cell that catches the interrupt
  const end = () => {
    run.interrupt();
    run.interrupt();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', end).on('SIGHUP', end);
  try {
    const result = await run.run();
    progress.stop();
    return { notebook: readNotebookJson(result.path), failure: result.failures[0] };
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', end).off('SIGHUP', end);
    rmSync(folder, { recursive: true, force: true });
  }
}

function describe({ numbers, missing, ignored, changes }: CheckResult, tolerance: number): string {
  const gone = missing > 0 ? `, ${missing} not there any more` : '';
  const compared = `${numbers} numbers compared${gone}, ${ignored} times, speeds and dates left out`;
  if (changes.length === 0) return `nothing changed: ${compared}, tolerance ${tolerance}`;
  const short = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
  const rows = changes.map(({ cell, recorded, now, difference }) => ({
    cell,
    recorded: short(recorded),
    now: short(now),
    difference: difference === undefined ? '' : `${(100 * difference).toPrecision(3)} %`,
  }));
  return `${textTable(rows)}\n${changes.length} lines changed: ${compared}, tolerance ${tolerance}`;
}

/** Prints what the check of leaderboards found. @returns whether every row is as it should be */
function report({ rows, faults }: LeaderboardCheck): boolean {
  if (faults.length > 0) process.stdout.write(`${textTable(faults.map((fault) => ({ ...fault })))}\n`);
  process.stdout.write(`leaderboard: ${rows} rows checked, ${faults.length} differences\n`);
  return faults.length === 0;
}

/** Checks a write-up that is Markdown: nothing can be run, but its leaderboards can be computed again. */
function checkMarkdown(path: string): void {
  const check = checkLeaderboards(readText(path), dirname(resolve(path)));
  if (check.rows === 0) {
    throw new UserError(
      `${path}: has no leaderboard (arclab leaderboard); what else it says is checked by running its notebook`,
    );
  }
  if (!report(check)) process.exitCode = 1;
}

export default {
  configure(command) {
    command
      .argument(
        '<notebook>',
        'a write-up with its recorded outputs, or Markdown with leaderboards; the file is not changed',
      )
      .option('--tolerance <part>', 'relative difference of a number that is not reported', number(0), 0)
      .option('--kernel <name>', 'arclab, tslab or a kernel of Jupyter (default: what the notebook names)')
      .option('--timeout <s>', 'seconds that a cell may take', number(0.001))
      .option('--against <notebook>', 'compare with this run instead of running the notebook');
  },
  async run([path], options: Options) {
    if (path!.endsWith('.md')) {
      checkMarkdown(path!);
      return;
    }
    const recorded = readNotebookJson(path!);
    // before runs are made anew by the cells
    const text = recorded.cells.flatMap((cell) =>
      cell.cell_type === 'code' ? [] : [sourceText(cell.source)],
    );
    const boards = checkLeaderboards(text.join('\n\n'), dirname(resolve(path!)));
    const { notebook, failure } =
      options.against === undefined
        ? await rerun(path!, options)
        : { notebook: readNotebookJson(options.against), failure: undefined };
    const result = compareRuns(recorded, notebook, options);
    process.stdout.write(`${describe(result, options.tolerance)}\n`);
    if (failure !== undefined) {
      process.stdout.write(`cell ${failure.cell.number} failed: ${failure.failure.message}\n`);
    }
    const isRight = boards.rows === 0 || report(boards);
    if (!isRight || result.changes.length > 0 || failure !== undefined) process.exitCode = 1;
  },
} satisfies CommandFile;
