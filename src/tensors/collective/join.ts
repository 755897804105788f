import { availableParallelism, cpus } from 'node:os';
import { UserError } from '../../common/errors.js';
import type { Collective } from './collective.js';
import type { Placement } from './environment.js';
import { Exchange } from './exchange.js';
import { Mpi } from './mpi.js';

/**
 * Joins the other processes of this job: over sockets where the environment says where rank 0 waits and nobody has
 * started MPI, else over MPI. Splits the processor between the ranks of a machine.
 * @param onLost told in one line that a rank has died
 * @throws {UserError} when they cannot be reached, see {@link Mpi.join} and {@link Exchange.join}
 */
export async function joinCollective(
  place: Placement,
  onLost: (reason: string) => void,
): Promise<Collective> {
  splitProcessor(place);
  const { launcher, master, rank, size, localRank } = place;
  const overSockets = launcher === 'torchrun' || (launcher === 'Slurm' && master !== undefined);
  if (!overSockets) return Mpi.join(place);
  return Exchange.join({
    rank,
    size,
    localRank,
    ...master!,
    token: tokenOf(),
    patience: patienceOf(),
    onLost,
  });
}

/** What tells the jobs of a machine apart, beside a secret where one is set. */
function tokenOf(): string {
  const { ARCLAB_RANKS_TOKEN, TORCHELASTIC_RUN_ID, SLURM_JOB_ID, SLURM_STEP_ID, MASTER_PORT } = process.env;
  return JSON.stringify([ARCLAB_RANKS_TOKEN, TORCHELASTIC_RUN_ID, SLURM_JOB_ID, SLURM_STEP_ID, MASTER_PORT]);
}

function patienceOf(): number {
  const { ARCLAB_RANKS_TIMEOUT: given } = process.env;
  if (given === undefined || given === '') return 300;
  const seconds = Number(given);
  if (seconds > 0) return seconds;
  throw new UserError(`ARCLAB_RANKS_TIMEOUT: expected a number of seconds, found "${given}"`);
}

/** Threads of a rank, where nobody has said how many: those of the backends wasm and torch. */
export function threadsPerRank(localSize: number, all = cpus().length, own = availableParallelism()): number {
  // mpirun may have bound this process to some of them
  return Math.max(1, Math.min(own, Math.floor(all / localSize)));
}

function splitProcessor({ localSize, size }: Placement): void {
  const threads = String(threadsPerRank(localSize ?? size));
  process.env.ARCLAB_THREADS ??= threads;
  process.env.OMP_NUM_THREADS ??= threads;
}
