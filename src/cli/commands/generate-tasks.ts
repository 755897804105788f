import {
  describeGenerators,
  type GenerateTasksToFileOptions,
  generateTasksToFile,
} from '../../arc/generate-to-file.js';
import { defineOptions, without } from '../../options/table.js';
import { generateTasksToFileOptions } from '../../options/tasks.js';
import type { CommandFile } from '../command.js';

/** With `list` nothing is written. */
const options = defineOptions({
  ...without(generateTasksToFileOptions.table, 'outputPath'),
  outputPath: { ...generateTasksToFileOptions.table.outputPath, required: undefined },
});

const listOption = defineOptions({
  list: {
    type: 'boolean',
    default: false,
    description: 'print the generators: family, name, what becomes of the input',
  },
});

async function run(
  _: string[],
  { list, ...given }: GenerateTasksToFileOptions & { list?: boolean },
): Promise<void> {
  if (list) {
    process.stdout.write(`${describeGenerators()}\n`);
    return;
  }
  const dataset = generateTasksToFile(given);
  process.stdout.write(`${given.outputPath}: ${dataset.size} tasks\n`);
}

export default {
  options,
  terminalOptions: listOption,
  run,
} satisfies CommandFile;
