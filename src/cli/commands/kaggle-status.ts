import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { kaggleClient } from '../../kaggle/client.js';
import { kernelId, kernelStatus, submissions, waitFor } from '../../kaggle/remote.js';
import { findNotebook } from '../../kaggle/verify.js';
import type { CommandFile } from '../command.js';

/** Lines of the table of submissions: two of its head, and the newest. */
const SHOWN = 7;

export default {
  configure(command: Command) {
    command
      .argument('<folder|owner/slug>', 'what arclab kaggle build wrote, or the name of a notebook on Kaggle')
      .option('--wait', 'ask until it has ended');
  },
  async run([target], { wait }: { wait?: boolean }) {
    const kernel = kernelId(target!);
    const client = kaggleClient();
    const { status, failure } = await (wait ? waitFor(kernel, client) : kernelStatus(kernel, client));
    process.stdout.write(`${kernel}: ${status}${failure ? `: ${failure}` : ''}\n`);
    if (status === 'error') process.exitCode = 1;
    const [competition] = existsSync(target!)
      ? (findNotebook(target!).metadata.competition_sources as string[])
      : [];
    if (competition === undefined) return;
    const table = await submissions(competition, client);
    process.stdout.write(`${table.split('\n').slice(0, SHOWN).join('\n')}\n`);
  },
} satisfies CommandFile;
