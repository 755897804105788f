import type { Command } from 'commander';
import { parseDuration } from '../../common/duration.js';
import type { StageOptions } from '../../kaggle/rehearsal.js';
import { verifyNotebook } from '../../kaggle/verify.js';
import { type CommandFile, number } from '../command.js';

/** A duration that the notebook will read. */
function duration(text: string): string {
  parseDuration(text, '--time_budget');
  return text;
}

export default {
  configure(command: Command) {
    command
      .argument('<folder>', 'what arclab kaggle build wrote')
      .option('--backend <name>', 'wasm, torch, … (default: what the notebook chooses)')
      .option('--rerun', 'simulate the rerun on the real challenges instead of the draft')
      .option('--challenges <file>', 'the challenges (default: three small ones)')
      .option('--model <folder>', 'the attached model (default: the small base model of npm start)')
      .option('--adapter <folder>', 'an attached PEFT adapter of it')
      .option('--time-budget <duration>', 'instead of the configured time (default: 40s)', duration)
      .option('-o, --output <file>', 'where the notebook goes as it was run')
      .option('--timeout <seconds>', 'the most that one cell may take', number(1), 600);
  },
  async run([folder], options: StageOptions & { backend?: string; output?: string; timeout: number }) {
    const { cells, secondsToTypeScript, network, tasks, predictions } = await verifyNotebook(folder!, {
      ...options,
      onCell: ({ id, start, seconds, output, error }) => {
        process.stdout.write(`${start.toFixed(1).padStart(6)} s  ${id} (${seconds.toFixed(1)} s)\n`);
        const text = [output.trimEnd(), ...(error ? [error.traceback || error.message] : [])]
          .join('\n')
          .trim();
        if (text) process.stdout.write(`${text.replace(/^/gm, '          ')}\n`);
      },
    });
    const failed = cells.find(({ error }) => error);
    const verdict = failed
      ? `failed in cell ${failed.id}`
      : predictions === 0
        ? 'failed: the submission is valid, but none of it comes from the model'
        : `passed: a valid submission for ${tasks} tasks from ${predictions} predictions`;
    process.stdout.write(
      `${secondsToTypeScript.toFixed(1)} s from the start of the kernel to the first cell of TypeScript; ${network}\n${verdict}\n`,
    );
    if (!verdict.startsWith('passed')) process.exitCode = 1;
  },
} satisfies CommandFile;
