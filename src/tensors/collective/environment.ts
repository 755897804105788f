/** @file Which rank of how many this process is, as those who start processes say it in the environment. */
import { UserError } from '../../common/errors.js';

/** The place of a process in a job of several. */
export interface Placement {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  /** How many processes of the job are on this machine, where the environment says so. */
  readonly localSize?: number;
  /** Who started it. */
  readonly launcher: 'Open MPI' | 'MPICH' | 'Slurm' | 'torchrun';
  /** Where rank 0 waits for the others, where the environment says so. */
  readonly master?: { readonly host: string; readonly port: number };
}

/** The variables of each launcher, the most particular first: `mpirun` inside a Slurm job sees both. */
const launchers = [
  {
    launcher: 'Open MPI',
    rank: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
  },
  // hydra, and Intel's MPI, which is made of it
  {
    launcher: 'MPICH',
    rank: 'PMI_RANK',
    size: 'PMI_SIZE',
    localRank: 'MPI_LOCALRANKID',
    localSize: 'MPI_LOCALNRANKS',
  },
  {
    launcher: 'torchrun',
    rank: 'RANK',
    size: 'WORLD_SIZE',
    localRank: 'LOCAL_RANK',
    localSize: 'LOCAL_WORLD_SIZE',
  },
  // a shell of sbatch or salloc has SLURM_NTASKS, too; only tasks that srun has started have the number of their step's
  {
    launcher: 'Slurm',
    rank: 'SLURM_PROCID',
    size: 'SLURM_STEP_NUM_TASKS',
    localRank: 'SLURM_LOCALID',
    localSize: undefined,
  },
] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The place of this process.
 * @returns undefined where it is alone
 * @throws {UserError} when the variables contradict each other
 */
export function placementOf(environment: Environment): Placement | undefined {
  if (environment.ARCLAB_RANKS === 'off') return undefined;
  for (const { launcher, ...names } of launchers) {
    const size = read(environment, names.size);
    const rank = read(environment, names.rank);
    if (size === undefined || rank === undefined) continue;
    if (rank >= size || size === 0) {
      throw new UserError(`${names.rank}: expected a number below ${names.size} (${size}), found ${rank}`);
    }
    if (size === 1) return undefined;
    const localSize = read(environment, names.localSize);
    const master = masterOf(environment) ?? (launcher === 'Slurm' ? slurmMaster(environment) : undefined);
    if (launcher === 'torchrun' && !master) {
      throw new UserError(
        `WORLD_SIZE is ${size}: expected MASTER_ADDR and MASTER_PORT, where rank 0 waits for the others; unset ` +
          'WORLD_SIZE for one process',
      );
    }
    return {
      rank,
      size,
      // an srun with PMI-2 has a process manager's ranks and Slurm's own for those of a machine
      localRank: read(environment, names.localRank) ?? read(environment, 'SLURM_LOCALID') ?? 0,
      ...(localSize === undefined ? {} : { localSize }),
      launcher,
      ...(master ? { master } : {}),
    };
  }
  return undefined;
}

function read(environment: Environment, name: string | undefined): number | undefined {
  const text = name === undefined ? undefined : environment[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new UserError(`${name}: expected a whole number, found "${text}"`);
}

/**
 * Where rank 0 waits in a step of Slurm in which nobody has started MPI: the first node of the step, and a port that
 * follows from job and step, which are all that its tasks have in common.
 */
function slurmMaster(environment: Environment): Placement['master'] {
  if (environment.PMIX_RANK !== undefined) return undefined;
  const { SLURM_STEP_NODELIST: nodes = environment.SLURM_JOB_NODELIST } = environment;
  const job = read(environment, 'SLURM_JOB_ID');
  if (!nodes || job === undefined) return undefined;
  return {
    host: firstNode(nodes),
    // below the ports that Linux gives to connections by itself (32768 and up)
    port: 20_000 + ((61 * job + (read(environment, 'SLURM_STEP_ID') ?? 0)) % 12_000),
  };
}

/** `gpu[07-12,15],login1` → `gpu07`: what `scontrol show hostnames` prints first. */
function firstNode(nodes: string): string {
  const [first] = /^(?:[^,[]|\[[^\]]*\])*/.exec(nodes)!;
  return first.replace(/\[([^\],-]*)[^\]]*\]/g, '$1');
}

function masterOf(environment: Environment): Placement['master'] {
  const { MASTER_ADDR: host } = environment;
  const port = read(environment, 'MASTER_PORT');
  if (!host || port === undefined) return undefined;
  // torchrun's own agent waits at that port
  const own = environment.TORCHELASTIC_USE_AGENT_STORE === 'True' ? port + 1 : port;
  if (own >= 1 && own <= 65_535) return { host, port: own };
  throw new UserError(`MASTER_PORT: expected a port from 1 to 65535, found ${port}`);
}
