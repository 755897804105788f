import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../../common/errors.js';
import { fineTune } from '../../experiments/fine-tune.js';
import { TrainingOptionsError } from '../../training/errors.js';
import { fineTuneDefaults as defaults } from '../../training/options.js';
import type { DatasetPair } from '../../training/training-data.js';
import { backendOptions, type CommandFile, integer, number, toggle } from '../command.js';
import { augmentationOptions, pruneVocabDescription } from '../generation-options.js';
import {
  adapterOptions,
  adapterTargetOptions,
  resumeOptions,
  stepOptions,
  trainInTerminal,
} from '../training-options.js';

/** Reads `path kind [weight]` groups: a number after a kind is how often the pair is drawn. */
function datasetPairs(values: readonly string[], flag: string): DatasetPair[] {
  const pairs: DatasetPair[] = [];
  for (let i = 0; i < values.length; ) {
    const [path, kind, weight] = values.slice(i, i + 3);
    if (kind === undefined) {
      throw new TrainingOptionsError(
        `${flag} takes pairs of a data set file and a prompt kind, got: ${values.join(' ')}`,
      );
    }
    const weighted = weight !== undefined && weight.trim() !== '' && Number.isFinite(Number(weight));
    pairs.push(weighted ? [path!, kind, Number(weight)] : [path!, kind]);
    i += weighted ? 3 : 2;
  }
  return pairs;
}

/** Reads `name=number` values. */
function lossWeights(values: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    values.map((value) => {
      const at = value.lastIndexOf('=');
      const weight = Number(value.slice(at + 1));
      if (at < 1 || value.slice(at + 1).trim() === '' || !Number.isFinite(weight)) {
        throw new TrainingOptionsError(
          `--loss_weights takes name=number for prompt kinds or data sets, got: ${value}`,
        );
      }
      return [value.slice(0, at), weight];
    }),
  );
}

/** Reads a JSON object. */
function json(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new InvalidArgumentError(`Expected a JSON object: ${messageOf(error)}.`);
  }
  throw new InvalidArgumentError('Expected a JSON object.');
}

function configure(command: Command): void {
  command
    .requiredOption('--model-path <folder|id>', 'a Hugging Face model folder or hub id')
    .option('--adapter-path <folder|id>', 'a PEFT adapter to continue from, instead of a fresh one')
    .requiredOption(
      '--train-datasets <values...>',
      'a data set file, a prompt kind and, if not 1, how often to draw it; may be repeated',
    )
    .option(
      '--val-dataset <values...>',
      'a data set file and a prompt kind for the validation loss; may be repeated',
    )
    .option('--grid-encoder <expression>', 'how grids become text', defaults.gridEncoder)
    .requiredOption('--output-dir <folder>', 'where checkpoints, metrics.jsonl and logs/ go')
    .requiredOption('--max-steps <n>', 'optimizer steps', integer(1))
    .option(
      '--eval-steps <n>',
      'steps between validation losses; -1 = at the end only',
      integer(-1),
      defaults.evalSteps,
    )
    .option(
      '--save-steps <n>',
      'steps between checkpoints, -1 = at the end only (default: eval_steps)',
      integer(-1),
    )
    .option('--logging-steps <n>', 'steps between points of the log', integer(1), defaults.loggingSteps);
  toggle(command, 'verbose', 'tell more', defaults.verbose);
  resumeOptions(command);
  command.option(
    '--max-seq-len <tokens>',
    'longest prompt and answer together',
    integer(1),
    defaults.maxSeqLen,
  );
  toggle(
    command,
    'remove-train-samples-to-fit-max-seq-len',
    'leave out train samples of tasks that are too long, instead of the task',
    defaults.removeTrainSamplesToFitMaxSeqLen,
  );
  toggle(command, 'prune-vocab', pruneVocabDescription, defaults.pruneVocab);
  backendOptions(command);
  stepOptions(command);
  command
    .option(
      '--warmup-ratio <part>',
      'part of the steps with a rising learning rate (default: 0.05; cyclic: 0)',
      number(0, 1),
    )
    .option('--warmup-steps <n>', 'the same in steps, instead of the ratio', integer(0))
    .option('--lr-num-cycles <n>', 'restarts (default: 1) or triangles of cyclic (default: 4)', integer(1))
    .option(
      '--max-tokens-per-batch <tokens>',
      'tokens per forward and backward pass (default: max_seq_len)',
      integer(1),
    )
    .option(
      '--max-grad-norm <norm>',
      'clip gradients to this global norm; 0 = off',
      number(0),
      defaults.maxGradNorm,
    )
    .option('--weight-decay <rate>', 'decoupled weight decay', number(0), defaults.weightDecay);
  toggle(
    command,
    'gradient-checkpointing',
    'run each layer again for its gradient: less memory, more time',
    defaults.gradientCheckpointing,
  );
  toggle(command, 'use-lora', 'train a LoRA adapter; otherwise all weights', defaults.useLora);
  adapterOptions(command);
  command.option('--lora-dropout <p>', "dropout on the adapter's input", number(0, 1), defaults.loraDropout);
  adapterTargetOptions(command);
  command.addOption(
    new Option('--lora-weight-initialization <name>', 'how a fresh adapter starts')
      .choices(['default', 'gaussian', 'pissa'])
      .default(defaults.loraWeightInitialization),
  );
  toggle(command, 'use-rslora', 'scale the adapter by alpha / √rank', defaults.useRslora);
  toggle(command, 'use-dora', 'train magnitude and direction apart (DoRA)', defaults.useDora);
  command
    .option('--loss-weights <name=weight...>', 'factors on the loss by prompt kind or data set')
    .addOption(
      new Option('--loss-on <tokens>', 'tokens that the loss counts; all = prompts too, to pretrain a base')
        .choices(['answer', 'all'])
        .default(defaults.lossOn),
    );
  toggle(
    command,
    'swap-train-and-test',
    'redraw which samples are the test samples',
    defaults.swapTrainAndTest,
  );
  augmentationOptions(command, defaults);
  command
    .option(
      '--task-augmentation <p>',
      'probability of making another task by changing only inputs or only outputs',
      number(0, 1),
      defaults.taskAugmentation,
    )
    .option(
      '--task-augmentation-weights <json>',
      'e.g. {"kinds":{"geometric":1,"padding":1,"upscaling":1,"mirroring":1,"colors":0}}',
      json,
    )
    .option(
      '--max-val-samples <n>',
      'most validation samples per pair; -1 = all',
      integer(-1),
      defaults.maxValSamples,
    )
    .option(
      '--workers <n>',
      'threads that make samples ahead of time; 0 = none',
      integer(0, 64),
      defaults.workers,
    );
}

// biome-ignore lint/suspicious/noExplicitAny: commander types no options
async function run(_args: string[], options: any): Promise<void> {
  const { checkpoint, steps, interrupted } = await trainInTerminal(
    (controls) =>
      fineTune({
        ...options,
        trainDatasets: datasetPairs(options.trainDatasets, '--train_datasets'),
        valDataset: datasetPairs(options.valDataset ?? [], '--val_dataset'),
        ...(options.lossWeights ? { lossWeights: lossWeights(options.lossWeights) } : {}),
        ...controls,
      }),
    options,
  );
  const how = options.resumeFromCheckpoint ? '' : 'with --resume_from_checkpoint ';
  if (interrupted)
    process.stderr.write(`stopped at step ${steps}; the same command ${how}continues from ${checkpoint}\n`);
  else process.stdout.write(`${checkpoint}\n`);
}

export default { configure, run } satisfies CommandFile;
