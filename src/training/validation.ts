import { setImmediate as turn } from 'node:timers/promises';
import { scoreSamples, type TrainableDecoder } from './loss.js';
import { planMicroBatches } from './packing.js';
import type { TrainingSample } from './sample.js';
import { LossTally, type MeanLoss } from './tally.js';
import type { Team } from './team.js';

/** Validation losses in nats per label: overall, per prompt kind and per data set. */
export interface ValidationReport extends MeanLoss {
  readonly kinds: Readonly<Record<string, MeanLoss>>;
  readonly datasets: Readonly<Record<string, MeanLoss>>;
  readonly samples: number;
  readonly seconds: number;
}

/**
 * The mean loss per label of a fixed set of samples, without dropout and loss weights.
 * @param team the ranks that share the samples, and all come to the same report
 * @returns null when the signal is aborted before all samples are seen
 */
export async function evaluateLoss(
  decoder: TrainableDecoder,
  samples: readonly TrainingSample[],
  options: { maxTokensPerBatch: number },
  signal?: AbortSignal,
  team?: Team,
): Promise<ValidationReport | null> {
  const start = performance.now();
  const tally = new LossTally();
  for (const batch of planMicroBatches(team?.share(samples) ?? samples, options.maxTokensPerBatch)) {
    tally.add(batch, await scoreSamples(decoder, batch));
    await turn();
    if (signal?.aborted) break;
  }
  const isAborted = signal?.aborted ?? false;
  if (await (team?.any(isAborted) ?? isAborted)) return null;
  await team?.sumTally(tally, samples);
  return {
    ...tally.total,
    kinds: tally.byKind(),
    datasets: tally.byDataset(),
    samples: samples.length,
    seconds: (performance.now() - start) / 1000,
  };
}
