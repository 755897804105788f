import { UserError } from '../../common/errors.js';
import { textTable } from '../../display/tables.js';
import { sweepStatusOptions } from '../../options/sweep.js';
import type { OptionsOf } from '../../options/table.js';
import { readLog } from '../../sweeps/part-files.js';
import { queueAddress } from '../../sweeps/queue/redis.js';
import { queueStatus } from '../../sweeps/queue/status.js';
import { sweepCounts, sweepRows } from '../../sweeps/status.js';
import { sweepStatus } from '../../sweeps/sweep.js';
import type { CommandFile } from '../command.js';
import { hidePassword } from '../hide-password.js';

type Options = OptionsOf<typeof sweepStatusOptions.table>;

const print = (text: string) => process.stdout.write(`${text}\n`);

async function run(
  _: string[],
  { file, queue: given, queueName, log, json = false }: Options,
): Promise<void> {
  hidePassword(given);
  const queue = queueAddress(given);
  const { plan, runs } = sweepStatus({ file });
  if (log !== undefined) {
    const part = plan.parts.find(({ id }) => id === log);
    if (part === undefined)
      throw new UserError(`\`log\`: this sweep has no part "${log}"; the column "at" names them`);
    process.stdout.write(readLog(plan.outputDir, part.id));
    return;
  }
  const name = queueName ?? sweepStatusOptions.defaults.queueName;
  const onQueue = queue === undefined ? undefined : await queueStatus(queue, name);
  if (json) {
    print(JSON.stringify(onQueue === undefined ? { runs } : { runs, queue: onQueue }, null, 2));
    return;
  }
  print(`${textTable(sweepRows(runs))}\n${sweepCounts(runs)}`);
  if (onQueue === undefined) return;
  const counts = Object.entries(onQueue.counts).map(([state, count]) => `${count} ${state}`);
  print(`\nqueue ${name}: ${counts.join(', ')}`);
  const rows = onQueue.jobs.map(({ progress, ...job }) => ({ ...job, progress: JSON.stringify(progress) }));
  if (rows.length > 0) print(textTable(rows));
}

export default { options: sweepStatusOptions, run } satisfies CommandFile;
