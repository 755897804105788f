import { type GenerateCodeOptions, generateCode } from '../../experiments/generate-code.js';
import { generateCodeOptions } from '../../options/inference.js';
import type { CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';

export default {
  options: generateCodeOptions,
  async run(_, options: GenerateCodeOptions) {
    const result = await keepingAnswers((hooks) => generateCode({ ...options, ...hooks }));
    if (result === undefined) return;
    const different = [...result.programs.values()].flat().length;
    process.stdout.write(
      `${result.drawn} answers: ${result.finished} programs, ${different} different\n${options.outputPath}\n`,
    );
  },
} satisfies CommandFile;
