import type { CommandFile } from './command.js';

/** Every command: what `arclab --help` says of it, and where it is. Files are loaded when they are run. */
export const commands: Record<string, { summary: string; load: () => Promise<{ default: CommandFile }> }> = {
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
  compare: {
    summary: 'say whether two inferences are identical, and which tasks differ',
    load: () => import('./commands/compare.js'),
  },
  'generate-inputs': {
    summary: 'draw new input grids from a model trained on inputs',
    load: () => import('./commands/generate-inputs.js'),
  },
  score: {
    summary: 'say how likely a model finds known answers',
    load: () => import('./commands/score.js'),
  },
  'merge-lora': {
    summary: 'fold an adapter into its base model',
    load: () => import('./commands/merge-lora.js'),
  },
  'init-model': {
    summary: 'make a small random model with a tokenizer of its own',
    load: () => import('./commands/init-model.js'),
  },
  'generate-tasks': {
    summary: 'make synthetic ARC tasks',
    load: () => import('./commands/generate-tasks.js'),
  },
  doctor: {
    summary: 'say what this machine has, and what to do about what is missing',
    load: () => import('./commands/doctor.js'),
  },
};
