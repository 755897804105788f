import { OptionError, option } from '../../common/option-names.js';
import { colorsFor } from '../../display/terminal-colors.js';
import { doctorOptions } from '../../options/other.js';
import { doctor, type Finding } from '../../tools/doctor.js';
import { type DoctorOptions, modelMemory } from '../../tools/model-memory.js';
import type { CommandFile } from '../command.js';

export default {
  options: doctorOptions,
  async run(_, { modelPath, ...options }: DoctorOptions) {
    const [unused] = Object.keys(options);
    if (modelPath === undefined && unused !== undefined) {
      throw new OptionError(unused, { hint: `it is of a model, which ${option('modelPath')} names` });
    }
    const findings = modelPath === undefined ? await doctor() : await modelMemory({ ...options, modelPath });
    const colors = colorsFor(process.stdout);
    const marks: Record<Finding['status'], string> = {
      ok: colors.green('✓'),
      missing: colors.yellow('-'),
      broken: colors.red('✗'),
    };
    const width = Math.max(...findings.map(({ name }) => name.length));
    for (const { name, status, found, advice } of findings) {
      process.stdout.write(`${marks[status]} ${name.padEnd(width)}  ${found}\n`);
      if (advice) process.stdout.write(`${' '.repeat(width + 4)}→ ${advice}\n`);
    }
    if (findings.some(({ status }) => status === 'broken')) process.exitCode = 1;
  },
} satisfies CommandFile;
