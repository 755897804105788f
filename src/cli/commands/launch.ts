import type { Command } from 'commander';
import { UserError } from '../../common/errors.js';
import { buildFile } from '../../common/files.js';
import { defineOptions } from '../../options/table.js';
import type { CommandFile } from '../command.js';
import { findMpirun, mpirunWords, runJob } from '../mpirun.js';
import { sharedCommands } from '../shared-commands.js';

const terminalOptions = defineOptions({
  processes: {
    type: 'integer',
    minimum: 1,
    maximum: 1024,
    value: 'n',
    required: true,
    description:
      'how many processes share the command; each gets its part of the cores, and a GPU where there are some',
  },
});

function configure(command: Command): void {
  command
    .argument('<command>', `one of ${sharedCommands.join(', ')}`)
    .argument('[words...]', 'its options')
    .passThroughOptions()
    .allowUnknownOption();
}

async function run([name, ...words]: string[], { processes }: { processes?: number }): Promise<void> {
  if (processes === undefined) throw new UserError('launch: expected --processes <n> before the command');
  if (!sharedCommands.includes(name!)) {
    const names = sharedCommands.join(', ');
    throw new UserError(
      `launch: expected a command that several processes share (${names}), found "${name}"`,
    );
  }
  const command = [process.execPath, ...process.execArgv, buildFile('arclab.cjs'), name!, ...words];
  const mpirun = findMpirun();
  process.exitCode = await runJob(mpirun, mpirunWords(mpirun, processes, command));
}

export default { terminalOptions, configure, run } satisfies CommandFile;
