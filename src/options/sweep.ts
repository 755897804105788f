/** Sweeps: many runs of one description. */
import { modelOptions } from './model.js';
import { count, file } from './shapes.js';
import { changed, defineOptions, type OptionTable } from './table.js';

const sweepFile = {
  ...file,
  required: true,
  argument: true,
  description: 'the description of the sweep, as JSON (docs/experiments.md)',
} as const;

const queueOptions = {
  queue: {
    type: 'string',
    value: 'url',
    description:
      'a Redis server, as redis://host:port or rediss://user:password@host:port; default: ARCLAB_QUEUE, which is not seen in the list of processes',
  },
  queueName: {
    type: 'string',
    default: 'arclab',
    value: 'name',
    description: 'the name of the queue on that server',
  },
} as const satisfies OptionTable;

export const sweepOptions = /* @__PURE__ */ defineOptions({
  file: sweepFile,
  ...changed(queueOptions, {
    queue: {
      description:
        'put the runs on this Redis server, as redis://host:port, for `arclab worker`; default: ARCLAB_QUEUE, and without that they run here, one after the other',
    },
  }),
  wait: {
    type: 'boolean',
    default: false,
    description: 'with `queue`: wait until all runs have ended, and print what they came to',
  },
  retries: {
    ...count,
    minimum: 0,
    default: 3,
    description: 'with `queue`: how often a part of a run that failed, or whose worker died, is tried again',
  },
  shard: {
    type: 'string',
    value: 'i/n',
    description:
      'only the i-th of n parts of the runs, from 1, as in an array of a scheduler; default: SLURM_ARRAY_TASK_ID where Slurm sets it',
  },
});

export const sweepStatusOptions = /* @__PURE__ */ defineOptions({
  file: { ...sweepFile, description: 'the description of a sweep, or its output folder' },
  ...changed(queueOptions, {
    queue: { description: 'also say what is on this Redis server; default: ARCLAB_QUEUE' },
  }),
  log: { type: 'string', value: 'part', description: 'print the log of this part of the sweep, by its id' },
  json: { type: 'boolean', default: false, description: 'print JSON' },
});

export const sweepWorkerOptions = /* @__PURE__ */ defineOptions({
  ...queueOptions,
  backend: { ...modelOptions.backend, description: 'tensor backend, instead of what the runs say' },
  device: {
    ...modelOptions.device,
    description: 'device of the backend, instead of what the runs say',
  },
  lease: {
    type: 'number',
    form: 'seconds',
    default: 30,
    value: 'time',
    description: 'how long a worker may be silent before its run is given to another one',
  },
  untilEmpty: {
    type: 'boolean',
    default: false,
    description: 'end when the queue is empty; otherwise wait for the next run',
  },
});
