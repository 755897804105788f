import { type ImportTasksOptions, importTasks } from '../../experiments/import-tasks.js';
import { importOptions } from '../../options/tasks.js';
import type { CommandFile } from '../command.js';
import { terminalProgress } from '../terminal-progress.js';

export default {
  options: importOptions,
  async run(_, options: ImportTasksOptions) {
    const { onEvent, stop } = terminalProgress();
    try {
      const { tasks, variants, files } = await importTasks({ ...options, onEvent });
      const more = variants > tasks ? ` in ${variants} variants` : '';
      process.stdout.write(`${tasks} tasks${more}\n${files.join('\n')}\n`);
    } finally {
      stop();
    }
  },
} satisfies CommandFile;
