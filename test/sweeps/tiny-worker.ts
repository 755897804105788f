/**
 * A worker whose parts are tiny: `dist/test/tiny-sweep-worker.cjs <url> <lease>`. A part takes three steps of a few
 * milliseconds, keeps the last one in a file as a training keeps its checkpoints, and at its end adds a line to a file
 * that counts how often each part came to its end.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '../../src/common/files.js';
import type { Handler } from '../../src/sweeps/handlers.js';
import { sweepWorker } from '../../src/sweeps/queue/worker.js';

const STEPS = 3;

const tiny: Handler = async ({ id, options }) => {
  const { folder, milliseconds } = options as { folder: string; milliseconds: number };
  const checkpoint = join(folder, `${id}.step`);
  const begun = existsSync(checkpoint) ? Number(readFileSync(checkpoint, 'utf8')) : 0;
  for (let step = begun; step < STEPS; step++) {
    await sleep(milliseconds / STEPS);
    appendFileSync(join(folder, 'steps.log'), `${id} ${step}\n`);
    writeFileAtomic(checkpoint, String(step + 1));
  }
  return { results: { steps: STEPS } };
};

const [url, lease] = process.argv.slice(2) as [string, string];
void sweepWorker({ queue: url, lease: Number(lease), untilEmpty: true }, { tiny }).then(
  ({ parts }) => process.stdout.write(`${parts}\n`),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  },
);
