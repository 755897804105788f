/** @file The embedded executor: the parts of a sweep in this process, one after the other. */
import { firstLineOf } from '../common/errors.js';
import { InUseError } from '../common/lock.js';
import type { Executor } from './executor.js';
import { type Handlers, PartStopped, sweepHandlers } from './handlers.js';
import { isReady, resultOf } from './part-files.js';
import { runPart } from './run-part.js';

/** Runs parts in their order; those that wait for a part that failed are left out. */
export const localExecutor = (handlers: Handlers = sweepHandlers): Executor => ({
  async run(plan, parts, { onEvent, signal }) {
    for (const [i, part] of parts.entries()) {
      if (resultOf(plan.outputDir, part.id)) continue;
      if (signal?.aborted) throw new PartStopped('stopped; the same command goes on');
      if (!isReady(plan.outputDir, part)) {
        onEvent?.({ type: 'note', text: `${part.id}: left out: what it needs is not done` });
        continue;
      }
      onEvent?.({ type: 'part', id: part.id, number: i + 1, total: parts.length });
      try {
        await runPart(plan, part, { handlers, machine: {}, onEvent, signal });
      } catch (error) {
        if (signal?.aborted) throw new PartStopped('stopped; the same command goes on');
        const failure = `failed: ${firstLineOf(error)}`;
        const why = error instanceof InUseError ? 'another process runs it' : failure;
        onEvent?.({ type: 'note', text: `${part.id}: ${why}` });
      }
    }
  },
});
