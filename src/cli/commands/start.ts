import { generationProgress } from '../../experiments/generation-progress.js';
import { type StartOptions, start } from '../../experiments/start.js';
import { trainingProgress } from '../../training/progress.js';
import { colorsFor } from '../colors.js';
import { type CommandFile, integer } from '../command.js';
import { predictionCount } from '../generation-options.js';

export default {
  configure(command) {
    command
      .option('--output-dir <folder>', 'where everything goes', 'output/start')
      .option('--model-path <folder>', 'the model to fine-tune (default: the small one of this package)')
      .option('--max-steps <n>', 'optimizer steps', integer(1))
      .option('--train-tasks <n>', 'tasks to learn from', integer(1))
      .option('--val-tasks <n>', 'tasks to be measured on', integer(1))
      .option('--predictions-per-task <n>', 'predictions for each test input', predictionCount)
      .option('--seed <n>', 'seed of everything', integer())
      .option('--backend <name>', 'tensor backend (default: ARCLAB_BACKEND, else wasm)');
  },
  async run(_, options: StartOptions) {
    let stage = 0;
    const training = trainingProgress();
    // each inference has a progress bar of its own
    let generation = generationProgress();
    const result = await start({
      ...options,
      onStage: (name) => {
        training.stop();
        generation.stop();
        generation = generationProgress();
        process.stderr.write(`\n${colorsFor(process.stderr).bold(`${++stage}. ${name}`)}\n`);
      },
      onNote: (text) => {
        generation.stop();
        process.stderr.write(`${text}\n`);
      },
      onProgress: (progress) => generation.onProgress?.(progress),
      onTrainingEvent: training.onEvent,
    });
    const percent = (metrics: Record<string, number>, name: string) =>
      `${(100 * metrics[name]!).toFixed(1)}%`;
    process.stdout.write('\n');
    for (const name of ['accuracy', 'pass_n', 'vote_2']) {
      const change = `${percent(result.before, name)} → ${colorsFor(process.stdout).bold(percent(result.after, name))}`;
      process.stdout.write(`${name.padEnd(10)} ${change}\n`);
    }
    process.stdout.write(
      `\n${result.submissionPath}\n${result.reportPath}   ← open this in a browser\n` +
        `done in ${result.seconds.toFixed(0)} s\n`,
    );
  },
} satisfies CommandFile;
