import { placementOf } from '../tensors/collective/environment.js';
import { TrainingRanks } from './team.js';

/**
 * Joins the processes that were started together with this one, by `mpirun`, `srun` or `torchrun`, to share flows with
 * them: each makes the same calls with `ranks`, and at its end calls `leave()`.
 *
 * @example
 * const ranks = await joinRanks();
 * const { checkpoint } = await fineTune({ ...options, ranks });
 * await ranks?.leave();
 *
 * @returns undefined for a process that is alone
 * @throws {UserError} when the others cannot be reached
 */
export async function joinRanks(): Promise<TrainingRanks | undefined> {
  const place = placementOf(process.env);
  if (place === undefined) return undefined;
  const { joinCollective } = await import('../tensors/collective/join.js');
  // whoever waits for a rank that is gone is told
  return new TrainingRanks(await joinCollective(place, () => {}));
}
