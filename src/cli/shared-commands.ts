/** @file Which commands several processes share that are started together (by mpirun, srun or torchrun). */
import { UserError } from '../common/errors.js';
import { type Placement, placementOf } from '../tensors/collective/environment.js';

export const sharedCommands: readonly string[] = [
  'fine-tune',
  'test-time-fine-tune',
  'infer',
  'infer-evaluate',
  'search',
  'score',
];

/** Those of which every process does something of its own. */
const separateCommands: readonly string[] = ['worker', 'doctor'];

/**
 * The place of this process among those that share a command; undefined where it is alone with it.
 * @throws {UserError} for a command that each of several processes would do as a whole
 */
export function sharedPlace(
  command: string,
  environment: Readonly<Record<string, string | undefined>>,
): Placement | undefined {
  if (sharedCommands.includes(command)) return placementOf(environment);
  if (separateCommands.includes(command)) return undefined;
  let place: Placement | undefined;
  try {
    place = placementOf(environment);
  } catch {
    return undefined; // variables of something else
  }
  if (place === undefined) return undefined;
  throw new AllAlikeError(command, place);
}

/** Says that processes would all do the same. */
export class AllAlikeError extends UserError {
  constructor(
    command: string,
    readonly place: Placement,
  ) {
    super(
      `${command}: ${place.launcher} started ${place.size} processes, and each would do all of it: start one, or set ` +
        `ARCLAB_RANKS=off where each has work of its own (shared are ${sharedCommands.join(', ')})`,
    );
  }
}
