/** Which commands processes share, and what the others say of several. */
import { expect, test } from 'vitest';
import { sharedPlace } from '../../src/cli/shared-commands.js';

const openMpi = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '1' };

test('a shared command has a place among its processes, a worker has work of its own', () => {
  for (const command of ['fine-tune', 'test-time-fine-tune', 'infer', 'infer-evaluate', 'search', 'score']) {
    expect(sharedPlace(command, openMpi)).toMatchObject({ rank: 1, size: 2 });
  }
  expect(sharedPlace('worker', openMpi)).toBeUndefined();
});

test.each(['submit', 'start', 'sweep', 'evaluate', 'launch'])(
  'several processes that each %s are refused',
  (command) => {
    expect(() => sharedPlace(command, openMpi)).toThrow(
      `${command}: Open MPI started 2 processes, and each would do all of it: start one, or set ARCLAB_RANKS=off`,
    );
    expect(sharedPlace(command, { ...openMpi, ARCLAB_RANKS: 'off' })).toBeUndefined();
    expect(sharedPlace(command, {})).toBeUndefined();
    // variables that something else has left
    expect(sharedPlace(command, { RANK: 'x', WORLD_SIZE: '2' })).toBeUndefined();
  },
);
