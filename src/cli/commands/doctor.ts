import pc from 'picocolors';
import { doctor, type Finding } from '../../experiments/doctor.js';
import type { CommandFile } from '../command.js';

const marks: Record<Finding['status'], string> = {
  ok: pc.green('✓'),
  missing: pc.yellow('-'),
  broken: pc.red('✗'),
};

export default {
  configure() {},
  async run() {
    const findings = await doctor();
    const width = Math.max(...findings.map(({ name }) => name.length));
    for (const { name, status, found, advice } of findings) {
      process.stdout.write(`${marks[status]} ${name.padEnd(width)}  ${found}\n`);
      if (advice) process.stdout.write(`${' '.repeat(width + 4)}→ ${advice}\n`);
    }
    if (findings.some(({ status }) => status === 'broken')) process.exitCode = 1;
  },
} satisfies CommandFile;
