import type { Command } from 'commander';
import { inferDefaults as defaults } from '../experiments/infer.js';
import type { AugmentationToggles } from '../experiments/predictions.js';
import { backendOptions, integer, number, toggle } from './command.js';

/** Parses how many predictions to make for a test input: a slip of the finger would take days. */
export const predictionCount = integer(1, 100_000);

/** What --prune_vocab does. */
export const pruneVocabDescription =
  'embeddings and head only for the tokens that prompts and answers can have; probabilities add up over those';

/** Declares the options that every command with a model has, but for which model it is. */
export function promptOptions(
  command: Command,
  { promptVersion, pruneVocab }: { promptVersion?: string; pruneVocab?: boolean },
): void {
  command
    .option('--prompt-version <kind>', 'prompt kind', promptVersion)
    .option('--max-seq-len <tokens>', 'longest prompt and answer together', integer(2))
    .option('--seed <n>', 'names every random stream', integer(), defaults.seed);
  toggle(command, 'prune-vocab', pruneVocabDescription, pruneVocab);
  backendOptions(command);
  toggle(command, 'verbose', 'tell more', false);
}

/** Declares which model to use. */
export function modelOptions(command: Command): void {
  command
    .requiredOption('--model-path <folder|id>', 'a Hugging Face model folder or hub id')
    .option('--adapter-path <folder|id>', 'a PEFT adapter for it')
    .option('--grid-encoder <expression>', 'how grids become text', defaults.gridEncoder);
}

/** Declares how answers are drawn. */
export function decodingOptions(
  command: Command,
  temperature: number,
  constrained: boolean = defaults.constrained,
): void {
  command
    .option(
      '--temperature <t>',
      "0 = the most likely token; 1 = the model's own distribution",
      number(0),
      temperature,
    )
    .option('--top-k <n>', 'draw among the n most likely tokens; -1 = off', integer(-1), defaults.topK)
    .option(
      '--top-p <p>',
      'draw among the most likely tokens with this probability; 1 = off',
      number(0, 1),
      defaults.topP,
    )
    .option('--batch-size <n>', 'answers in the making at the same time', integer(1), defaults.batchSize)
    .option('--max-output-tokens <n>', 'longest answer (default: enough for the largest grid)', integer(1));
  toggle(command, 'constrained', 'let the model write only what the grid encoder can read', constrained);
}

/** Declares the augmentations that keep a task's rule; the defaults are those of inference unless given. */
export function augmentationOptions(command: Command, by: Required<AugmentationToggles> = defaults): void {
  toggle(command, 'geometric-augmentation', 'flip and rotate tasks', by.geometricAugmentation);
  toggle(command, 'color-augmentation', 'permute colours', by.colorAugmentation);
  toggle(command, 'order-augmentation', 'permute train samples', by.orderAugmentation);
}
