import type { Command } from 'commander';
import { NotebookRun, parseCellRange, parseParameter, type RunResult } from '../../../kernel/runner/index.js';
import { UserError } from '../../common/errors.js';
import { colorsFor } from '../../display/terminal-colors.js';
import { type CommandFile, number } from '../command.js';
import { runProgress } from '../run-progress.js';

interface Options {
  output?: string;
  parameter?: string[];
  kernel?: string;
  timeout?: number;
  allowErrors?: boolean;
  cells?: string;
  resume?: boolean;
}

const help = `
Cells are counted from 1, text included. After every cell the notebook is written, with the outputs so far; only what
a run changes in the file changes.

Parameters go into a cell tagged "injected-parameters" behind the one tagged "parameters", as papermill does it. A
value is a number, True, False, None or JSON; anything else is a string: -p steps 100 -p name qwen -p seeds '[1,2]'.
Digits that have to stay a string are written as one in JSON: -p id '"12345678"'.

A script in the percent format ("// %%" begins a cell; see arclab convert) is run as its notebook, which gets the
outputs: script.ipynb for script.ts.

A notebook whose kernel is tslab runs on arclab's own; --kernel tslab takes the original.

--resume keeps the outputs of all cells that have finished, up to the first that has not or was edited. A new kernel
knows nothing, so these cells are run again, only to rebuild their variables. Tag a cell "skip-on-resume" when what it
made is on the disk and need not be made again.

Tags that other runners know too: "raises-exception" (the cell may fail), "skip-execution".`;

const collect = (value: string, previous: string[] = []) => [...previous, value];

function configure(command: Command): void {
  command
    .argument('[notebook]', 'the notebook, or the script (.ts), to run')
    .option(
      '-o, --output <file>',
      'where the notebook with its outputs goes (default: in place; beside a script)',
    )
    .option('-p, --parameter <name value...>', 'a parameter and its value; may be repeated', collect)
    .option('--kernel <name>', 'arclab, tslab or a kernel of Jupyter (default: what the notebook names)')
    .option('--timeout <s>', 'seconds that a cell may take before it is interrupted', number(0.001))
    .option('--allow-errors', 'go on after a cell that failed')
    .option('--cells <range>', 'only these cells: 3-7, 3, or 3- to the end')
    .option('--resume', 'go on where an earlier run stopped')
    .addHelpText('after', help);
}

/** Names and values in pairs; the notebook may follow the last pair. */
function pairs(items: string[], args: string[]) {
  const values = [...items];
  const notebook = args[0] ?? (values.length % 2 === 1 ? values.pop() : undefined);
  if (notebook === undefined) throw new UserError('run: which notebook? arclab run notebook.ipynb');
  if (values.length % 2 === 1) throw new UserError(`-p ${values.at(-1)}: expected a name and its value`);
  return {
    notebook,
    names: values.filter((_, i) => i % 2 === 0),
    values: values.filter((_, i) => i % 2 === 1),
  };
}

async function run(args: string[], options: Options): Promise<void> {
  const { notebook, names, values } = pairs(options.parameter ?? [], args);
  const { output, kernel, timeout, allowErrors = false, resume = false } = options;
  if (resume && options.cells) throw new UserError('--resume and --cells: expected only one of them');
  const progress = runProgress();
  const notebookRun = new NotebookRun({
    path: notebook,
    parameters: names.map((name, i) => parseParameter(name, values[i]!)),
    allowErrors,
    resume,
    ...(output !== undefined && { output }),
    ...(kernel !== undefined && { kernel }),
    ...(timeout !== undefined && { timeout }),
    ...(options.cells !== undefined && { cells: parseCellRange(options.cells) }),
    onEvent: progress.onEvent,
  });
  let interrupts = 0;
  const interrupt = () => {
    interrupts++;
    if (interrupts === 1)
      progress.onEvent({ type: 'note', text: 'interrupting; Ctrl-C again ends the kernel' });
    notebookRun.interrupt();
  };
  const end = () => {
    notebookRun.interrupt();
    notebookRun.interrupt();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', end).on('SIGHUP', end);
  try {
    const result = await notebookRun.run();
    progress.stop();
    process.stdout.write(`${summary(result)}\n`);
    if (result.failures.length > 0 && !(allowErrors && interrupts === 0)) process.exitCode = 1;
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', end).off('SIGHUP', end);
  }
}

function summary({ path, ran, seconds, failures }: RunResult): string {
  const [first] = failures;
  const cells = `${ran} ${ran === 1 ? 'cell' : 'cells'} in ${seconds.toFixed(1)} s`;
  if (first === undefined) return `${path}: ${cells}`;
  const where = first.cell.number === 0 ? 'the injected parameters' : `cell ${first.cell.number}`;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `${path}: ${cells}; ${colorsFor(process.stdout).red(`${where}: ${first.failure.message}`)}${more}`;
}

export default { configure, run } satisfies CommandFile;
