import type { Command } from 'commander';
import { importOptions } from '../../options/tasks.js';
import { type ImportTasksOptions, importTasks } from '../../tools/import-tasks.js';
import type { CommandFile } from '../command.js';
import { terminalProgress } from '../terminal-progress.js';

function configure(command: Command): void {
  command.argument('<format>', importOptions.table.format.description);
}

async function run([format]: string[], given: Omit<ImportTasksOptions, 'format'>): Promise<void> {
  const { onEvent, stop } = terminalProgress();
  try {
    const options = { ...given, format: format as ImportTasksOptions['format'] };
    const { tasks, variants, files } = await importTasks({ ...options, onEvent });
    const more = variants > tasks ? ` in ${variants} variants` : '';
    process.stdout.write(`${tasks} tasks${more}\n${files.join('\n')}\n`);
  } finally {
    stop();
  }
}

export default { options: importOptions, configure, run } satisfies CommandFile;
