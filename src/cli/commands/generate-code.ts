import { type GenerateCodeOptions, generateCode } from '../../experiments/generate-code.js';
import { generateCodeOptions } from '../../options/inference.js';
import type { CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { terminalProgress } from '../terminal-progress.js';

export default {
  options: generateCodeOptions,
  async run(_, options: GenerateCodeOptions) {
    const { onEvent, stop } = terminalProgress();
    try {
      const result = await keepingAnswers((signal) => generateCode({ ...options, onEvent, signal }), stop);
      if (result === undefined) return;
      stop();
      const different = [...result.programs.values()].flat().length;
      process.stdout.write(
        `${result.drawn} answers: ${result.finished} programs, ${different} different\n${options.outputPath}\n`,
      );
    } finally {
      stop();
    }
  },
} satisfies CommandFile;
