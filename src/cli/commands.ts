import type { CommandTable } from './command.js';

/** Every command: what `arclab --help` says of it, and where it is. Files are loaded when they are run. */
export const commands: CommandTable = {
  start: {
    summary: 'the whole experiment in miniature: fine-tune, predict, vote, generate inputs, report',
    load: () => import('./commands/start.js'),
  },
  'fine-tune': {
    summary: 'fine-tune a language model on ARC tasks with several prompt kinds',
    load: () => import('./commands/fine-tune.js'),
  },
  infer: {
    summary: 'predict with test-time augmentation',
    load: () => import('./commands/infer.js'),
  },
  search: {
    summary: 'find every answer that a model gives at least some probability',
    load: () => import('./commands/search.js'),
  },
  'test-time-fine-tune': {
    summary: 'fine-tune on the train samples of the tasks that are to be solved',
    load: () => import('./commands/test-time-fine-tune.js'),
  },
  audit: {
    summary: 'say which samples a training would learn from, and which never, without a model',
    load: () => import('./commands/audit.js'),
  },
  submit: {
    summary: 'make submission.json within a time budget, or --check one',
    load: () => import('./commands/submit.js'),
  },
  'infer-evaluate': {
    summary: 'predict with a checkpoint, evaluate all predictions and the vote',
    load: () => import('./commands/infer-evaluate.js'),
  },
  evaluate: {
    summary: 'print the metrics of predictions',
    load: () => import('./commands/evaluate.js'),
  },
  vote: {
    summary: 'choose the attempts with the most votes',
    load: () => import('./commands/vote.js'),
  },
  select: {
    summary: 'say what each selection rule makes of a pool of predictions',
    load: () => import('./commands/select.js'),
  },
  join: {
    summary: 'make one result file of several, to vote on them together',
    load: () => import('./commands/join.js'),
  },
  compare: {
    summary: 'say whether two inferences are identical, and which tasks differ',
    load: () => import('./commands/compare.js'),
  },
  study: {
    summary: 'what differs, and how much of it may be luck',
    subcommands: {
      paired: {
        summary: 'compare two sets of runs on the same tasks, with intervals over tasks and seeds',
        load: () => import('./commands/study-paired.js'),
      },
    },
  },
  experiments: {
    summary: 'list, filter and compare the runs of a folder',
    load: () => import('./commands/experiments.js'),
  },
  leaderboard: {
    summary: 'rank the runs of a folder, as a table for a write-up',
    load: () => import('./commands/leaderboard.js'),
  },
  sweep: {
    summary: 'run many trainings and evaluations from one description, here or on a queue',
    load: () => import('./commands/sweep.js'),
    subcommands: {
      status: {
        summary: 'say how far the runs of a sweep are, wherever they run',
        load: () => import('./commands/sweep-status.js'),
      },
    },
  },
  worker: {
    summary: 'take runs of sweeps from a queue',
    load: () => import('./commands/worker.js'),
  },
  'generate-inputs': {
    summary: 'draw new input grids from a model trained on inputs',
    load: () => import('./commands/generate-inputs.js'),
  },
  'generate-code': {
    summary: 'have a model write programs for tasks, which are not run',
    load: () => import('./commands/generate-code.js'),
  },
  score: {
    summary: 'say how likely a model finds known answers',
    load: () => import('./commands/score.js'),
  },
  launch: {
    summary: 'start processes on this machine that share a fine-tune, infer, search or score',
    load: () => import('./commands/launch.js'),
  },
  'merge-lora': {
    summary: 'fold an adapter into its base model',
    load: () => import('./commands/merge-lora.js'),
  },
  'prune-model': {
    summary: 'write a model with a part of its vocabulary',
    load: () => import('./commands/prune-model.js'),
  },
  'move-adapter': {
    summary: 'write an adapter anew for a model with another vocabulary',
    load: () => import('./commands/move-adapter.js'),
  },
  'init-model': {
    summary: 'make a small random model with a tokenizer of its own',
    load: () => import('./commands/init-model.js'),
  },
  'generate-tasks': {
    summary: 'make synthetic ARC tasks',
    load: () => import('./commands/generate-tasks.js'),
  },
  import: {
    summary: 'make a data set of tasks with code of others (BARC, omni-arc), or of predictions to be judged',
    load: () => import('./commands/import.js'),
  },
  kernel: {
    summary: 'the TypeScript kernel for Jupyter',
    subcommands: {
      install: {
        summary: 'make the kernel known to Jupyter',
        load: () => import('./commands/kernel-install.js'),
      },
      list: {
        summary: 'say which kernels this package has installed',
        load: () => import('./commands/kernel-list.js'),
      },
      uninstall: {
        summary: 'remove a kernel that this package has installed',
        load: () => import('./commands/kernel-uninstall.js'),
      },
    },
  },
  run: {
    summary: 'run a notebook or a script cell by cell, without Python',
    load: () => import('./commands/run.js'),
  },
  convert: {
    summary: 'make a TypeScript file of a notebook, and the other way round',
    load: () => import('./commands/convert.js'),
  },
  writeup: {
    summary: 'iteration write-ups: Markdown in, a notebook that runs, Markdown out',
    subcommands: {
      new: {
        summary: 'start the next write-up from a template',
        load: () => import('./commands/writeup-new.js'),
      },
      import: {
        summary: 'make a notebook that runs of a Markdown write-up',
        load: () => import('./commands/writeup-import.js'),
      },
      export: {
        summary: 'make Markdown and pictures of a notebook',
        load: () => import('./commands/writeup-export.js'),
      },
      check: {
        summary: 'run a write-up again and say which recorded numbers changed',
        load: () => import('./commands/writeup-check.js'),
      },
    },
  },
  tensorflow: {
    summary: 'the addon of the tensorflow backend',
    subcommands: {
      build: {
        summary: 'build it against the TensorFlow of a Python',
        load: () => import('./commands/tensorflow-build.js'),
      },
    },
  },
  kaggle: {
    summary: 'the current source as one self-contained Kaggle notebook',
    subcommands: {
      build: {
        summary: 'write the notebook and the metadata that Kaggle wants beside it',
        load: () => import('./commands/kaggle-build.js'),
      },
      verify: {
        summary: 'run a built notebook offline, as Kaggle would, and check its submission',
        load: () => import('./commands/kaggle-verify.js'),
      },
      extract: {
        summary: 'extract the source of a notebook, and say whether it is the current one',
        load: () => import('./commands/kaggle-extract.js'),
      },
      diff: {
        summary: 'say what has changed since a notebook was built',
        load: () => import('./commands/kaggle-diff.js'),
      },
      push: {
        summary: "upload a built notebook with Kaggle's own command line",
        load: () => import('./commands/kaggle-push.js'),
      },
      status: {
        summary: 'say whether a notebook runs on Kaggle, and what its submissions scored',
        load: () => import('./commands/kaggle-status.js'),
      },
      pull: {
        summary: 'fetch the files and the log that a notebook has left on Kaggle',
        load: () => import('./commands/kaggle-pull.js'),
      },
      submit: {
        summary: 'submit a notebook that was pushed to its competition',
        load: () => import('./commands/kaggle-submit.js'),
      },
      dataset: {
        summary: 'data sets for notebooks',
        subcommands: {
          push: {
            summary: 'upload a folder (an adapter, a model, Node.js) as a data set, or as its next version',
            load: () => import('./commands/kaggle-dataset-push.js'),
          },
        },
      },
      'node-dataset': {
        summary: 'make a data set with Node.js, in case that Kaggle has none',
        load: () => import('./commands/kaggle-node-dataset.js'),
      },
    },
  },
  doctor: {
    summary: 'say what this machine has, and what to do about what is missing',
    load: () => import('./commands/doctor.js'),
  },
};
