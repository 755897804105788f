import { expect, test } from 'vitest';
import { placementOf } from '../../../src/tensors/collective/environment.js';
import { threadsPerRank } from '../../../src/tensors/collective/join.js';

const master = { MASTER_ADDR: 'node1', MASTER_PORT: '29500' };

test.each([
  [
    'Open MPI',
    {
      OMPI_COMM_WORLD_RANK: '3',
      OMPI_COMM_WORLD_SIZE: '8',
      OMPI_COMM_WORLD_LOCAL_RANK: '1',
      OMPI_COMM_WORLD_LOCAL_SIZE: '2',
    },
    { rank: 3, size: 8, localRank: 1, localSize: 2, launcher: 'Open MPI' },
  ],
  [
    'MPICH',
    { PMI_RANK: '1', PMI_SIZE: '4', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '4' },
    { rank: 1, size: 4, localRank: 1, localSize: 4, launcher: 'MPICH' },
  ],
  [
    'torchrun',
    { RANK: '2', WORLD_SIZE: '4', LOCAL_RANK: '0', LOCAL_WORLD_SIZE: '2', ...master },
    {
      ...{ rank: 2, size: 4, localRank: 0, localSize: 2, launcher: 'torchrun' },
      master: { host: 'node1', port: 29500 },
    },
  ],
  [
    'torchrun with its agent at the port',
    { RANK: '0', WORLD_SIZE: '2', TORCHELASTIC_USE_AGENT_STORE: 'True', ...master },
    { rank: 0, size: 2, localRank: 0, launcher: 'torchrun', master: { host: 'node1', port: 29501 } },
  ],
  [
    'srun',
    { SLURM_PROCID: '5', SLURM_STEP_NUM_TASKS: '6', SLURM_NTASKS: '6', SLURM_LOCALID: '2' },
    { rank: 5, size: 6, localRank: 2, launcher: 'Slurm' },
  ],
  [
    'srun without MPI',
    {
      ...{ SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '2', SLURM_LOCALID: '1', SLURM_JOB_ID: '9' },
      ...{ SLURM_STEP_ID: '3', SLURM_STEP_NODELIST: 'gpu[07-12,15]-ib,login1' },
    },
    { rank: 1, size: 2, localRank: 1, launcher: 'Slurm', master: { host: 'gpu07-ib', port: 20552 } },
  ],
  [
    'srun without MPI, on nodes that are numbered twice',
    {
      ...{ SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '2', SLURM_JOB_ID: '1000' },
      SLURM_STEP_NODELIST: 'rack[2,4]node[03-04]',
    },
    { rank: 0, size: 2, localRank: 0, launcher: 'Slurm', master: { host: 'rack2node03', port: 21_000 } },
  ],
  [
    'srun --mpi=pmi2',
    { PMI_RANK: '3', PMI_SIZE: '4', SLURM_LOCALID: '1', SLURM_PROCID: '3', SLURM_STEP_NUM_TASKS: '4' },
    { rank: 3, size: 4, localRank: 1, launcher: 'MPICH' },
  ],
  [
    'srun --mpi=pmix',
    {
      ...{ SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '2', SLURM_JOB_ID: '9', SLURM_STEP_NODELIST: 'a,b' },
      PMIX_RANK: '1',
    },
    { rank: 1, size: 2, localRank: 0, launcher: 'Slurm' },
  ],
  [
    'mpirun inside of a Slurm job',
    {
      ...{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '1' },
      ...{ SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '4' },
    },
    { rank: 1, size: 2, localRank: 1, launcher: 'Open MPI' },
  ],
])('%s', (_, environment, expected) => {
  expect(placementOf(environment)).toEqual(expected);
});

test.each([
  ['nothing', {}],
  ['a shell of sbatch', { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_LOCALID: '0', SLURM_JOB_ID: '7' }],
  ['a task alone', { SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '1', SLURM_NTASKS: '4' }],
  ['mpirun -n 1', { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' }],
  ['switched off', { RANK: '0', WORLD_SIZE: '4', ARCLAB_RANKS: 'off', ...master }],
])('one process: %s', (_, environment) => {
  expect(placementOf(environment)).toBeUndefined();
});

test.each([
  [{ RANK: '0', WORLD_SIZE: '2' }, 'WORLD_SIZE is 2: expected MASTER_ADDR and MASTER_PORT'],
  [{ RANK: '2', WORLD_SIZE: '2', ...master }, 'RANK: expected a number below WORLD_SIZE (2), found 2'],
  [{ RANK: 'x', WORLD_SIZE: '2', ...master }, 'RANK: expected a whole number, found "x"'],
  [{ RANK: '1', WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '70000' }, 'MASTER_PORT: expected a port'],
])('refused: %j', (environment, message) => {
  expect(() => placementOf(environment)).toThrow(message);
});

test('the cores of a machine are split between its ranks', () => {
  expect(threadsPerRank(2, 16, 16)).toBe(8);
  expect(threadsPerRank(3, 16, 16)).toBe(5);
  expect(threadsPerRank(4, 2, 2)).toBe(1);
  // bound to one core by mpirun
  expect(threadsPerRank(2, 16, 1)).toBe(1);
});
