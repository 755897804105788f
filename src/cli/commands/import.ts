import { importOptions } from '../../options/tasks.js';
import { type ImportTasksOptions, importTasks } from '../../tools/import-tasks.js';
import type { CommandFile } from '../command.js';
import { terminalProgress } from '../terminal-progress.js';

async function run(_: string[], options: ImportTasksOptions): Promise<void> {
  const { onEvent, stop } = terminalProgress();
  try {
    const { tasks, variants, files } = await importTasks({ ...options, onEvent });
    const more = variants > tasks ? ` in ${variants} variants` : '';
    process.stdout.write(`${tasks} tasks${more}\n${files.join('\n')}\n`);
  } finally {
    stop();
  }
}

export default { options: importOptions, run } satisfies CommandFile;
