import { InvalidArgumentError } from 'commander';
import { GeneratorError } from '../../arc/errors.js';
import { describeGenerators, generateTasksToFile } from '../../experiments/generate-tasks.js';
import { type CommandFile, integer } from '../command.js';

/** Names between commas. */
const names = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** `3`, or `2-5`. */
function range(text: string): [number, number] {
  const [, low, high = low] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (low === undefined || Number(high) < Number(low)) {
    throw new InvalidArgumentError('Expected a number such as 3, or two such as 2-5.');
  }
  return [Number(low), Number(high)];
}

export default {
  configure(command) {
    command
      .option('--output-filepath <file>', 'where to write; …challenges.json gets …solutions.json beside it')
      .option('--count <n>', 'how many tasks', integer(1), 100)
      .option('--seed <n>', 'the same seed gives the same tasks', integer(), 0)
      .option('--generators <names>', 'only these, names between commas (default: all that fit)', names)
      .option('--families <names>', 'only generators of these families', names)
      .option('--min-size <n>', 'inputs have sides at least this long, in cells', integer(1))
      .option('--max-size <n>', 'no grid has a longer side, in cells (default: 10)', integer(3))
      .option('--train-samples <n>', 'train samples of each task: 3, or 2-5 (default: 3)', range)
      .option('--test-samples <n>', 'test samples of each task (default: 1)', integer(1))
      .option('--colors <n>', 'colours of a picture besides the background (default: 4)', integer(1))
      .option('--objects <n>', 'objects of a picture at most (default: 4)', integer(1))
      .option('--list', 'print the generators: family, name, what becomes of the input');
  },
  async run(_args, { list, ...options }) {
    if (list) {
      process.stdout.write(describeGenerators() + '\n');
      return;
    }
    if (options.outputFilepath === undefined) {
      throw new GeneratorError('--output_filepath: expected the file to write, or --list');
    }
    const dataset = generateTasksToFile(options);
    process.stdout.write(`${options.outputFilepath}: ${dataset.size} tasks\n`);
  },
} satisfies CommandFile;
