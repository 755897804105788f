import { beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.js';
import { commandLineOf } from '../../src/cli/own-calls.js';
import { blockItems } from '../../src/writeup/block-cells.js';
import { knownScripts } from '../../src/writeup/known-scripts.js';
import { arclabCalls, ourCommand } from '../../src/writeup/script-calls.js';
import { type ShellTree, shellGrammar } from '../../src/writeup/shell-grammar.js';

const ownCommandLine = commandLineOf(commands);

let parse: (source: string) => ShellTree;
beforeAll(async () => {
  parse = await shellGrammar();
});
const ours = (source: string, paths = new Map<string, string>()) => ourCommand(source, parse, paths);

describe('renamed options, changed values', () => {
  test.each([
    ['fine-tuning.py --random_seed 7', 'arclab fine-tune --seed 7'],
    ['fine-tuning.py --random_seed=7', 'arclab fine-tune --seed=7'],
    ['fine-tuning.py --random-seed $S', 'arclab fine-tune --seed $S'],
    ['fine-tuning.py --compose_new_task_probability 0.5', 'arclab fine-tune --task_augmentation 0.5'],
    [
      'fine-tuning.py --compose_new_task_weights 1 2 0 0.5 --verbose',
      `arclab fine-tune --task_augmentation_weights '{"kinds":{"geometric":1,"padding":2,"upscaling":0,"mirroring":0.5}}' --verbose`,
    ],
    ['fine-tuning.py --device_map cpu', 'arclab fine-tune --device cpu'],
    ['fine-tuning.py --device_map cuda:1', 'arclab fine-tune --device cuda:1'],
    ['fine-tuning.py --n_gpus 0', 'arclab fine-tune --device cpu'],
    [
      'fine-tuning.py --per_device_train_batch_size 2 --max_seq_len 2048',
      'arclab fine-tune --max_tokens_per_batch 4096 --max_seq_len 2048',
    ],
    ['fine-tuning.py --per_device_train_batch_size 2', 'arclab fine-tune --max_tokens_per_batch 8192'],
    [
      'fine-tuning.py --per_device_train_batch_size $N --max_seq_len $L',
      'arclab fine-tune --max_tokens_per_batch $(($N * $L)) --max_seq_len $L',
    ],
    [
      'fine-tuning.py --grid_encoder "RowNumberEncoder(RepeatNumberEncoder())" --verbose',
      'arclab fine-tune --grid_encoder "RowNumberEncoder(RepeatNumberEncoder(3))" --verbose',
    ],
    ['inference.py --n 1', 'arclab infer --predictions_per_task 1'],
    ['inference.py --max_model_len 10240', 'arclab infer --max_seq_len 10240'],
    ['inference.py --n_tasks 10', 'arclab infer --n_tasks 10'],
    [
      'inference.py --prompt_version input-from-inputs-v0 --predictions_per_task 8',
      'arclab generate-inputs --prompt_version input-from-inputs-v0 --n 8',
    ],
    [
      'merge_lora.py --base_model_path a --lora_path b --output_path c',
      'arclab merge-lora --model_path a --adapter_path b --output_dir c',
    ],
    ['voting.py --input_filepath=a --n 2', 'arclab vote --input_path=a --n 2'],
    ['fine-tuning.py --optim paged_adamw_8bit', 'arclab fine-tune --optim adamw_8bit'],
    ['fine-tuning.py --optim=adamw_bnb_8bit', 'arclab fine-tune --optim adamw_8bit'],
    ['fine-tuning.py --optim muon', 'arclab fine-tune --optim muon'],
  ])('python %s', (call, expected) => {
    expect(ours(`python ${call}`)).toEqual({ source: expected, notes: [] });
  });
});

describe('left out, with a note', () => {
  test.each([
    ['fine-tuning.py --device_map None --seed 1', 'arclab fine-tune --seed 1', '--device_map None'],
    ['fine-tuning.py --n_gpus=2 --seed 1', 'arclab fine-tune --seed 1', '--n_gpus 2'],
    ['fine-tuning.py --optim adamw_torch', 'arclab fine-tune', '--optim adamw_torch'],
    ['fine-tuning.py --per_device_train_batch_size 1', 'arclab fine-tune', '--per_device_train_batch_size 1'],
    ['fine-tuning.py --report_to tensorboard', 'arclab fine-tune', '--report_to tensorboard'],
    ['fine-tuning.py --no-log_to_wandb', 'arclab fine-tune', '--no-log_to_wandb'],
    ['inference.py --swap_space 4 --seed 1', 'arclab infer --seed 1', '--swap_space 4'],
    ['inference.py --best_of 1', 'arclab infer', '--best_of 1'],
    ['inference.py --predictions_per_task 8 --n 1', 'arclab infer --predictions_per_task 8', '--n 1'],
    [
      'fine-tuning.py \\\n--lora_r 32 \\\n--device_map None \\\n--verbose',
      'arclab fine-tune \\\n--lora_r 32 \\\n--verbose',
      '--device_map None',
    ],
  ])('python %j', (call, expected, option) => {
    const { source, notes } = ours(`python ${call}`);
    expect(source).toBe(expected);
    expect(notes).toEqual([expect.stringMatching(new RegExp(`^without ${option}: \\w+`))]);
  });
});

describe('what would mean something else stays text, with its reason', () => {
  test.each([
    ['fine-tuning.py --optim adafactor', /AdamW/],
    ['fine-tuning.py --use_4bit_quantization', /4 bits/],
    ['fine-tuning.py --subsample_train_tasks_ratio 0.5', /all tasks/],
    ['fine-tuning.py --compose_new_task_weights $W', /4 numbers/],
    ['inference.py --best_of 4', /beam search/],
    ['inference.py --predictions_per_task 8 --n 4', /answered once/],
    ['easy_select_and_evaluation.py x', /compares answers/],
  ])('python %s', (call, reason) => {
    expect(ours(`python ${call}`).reason).toMatch(reason);
  });
});

describe('how scripts are started', () => {
  test.each([
    ['python3.10 -u ./scripts/fine-tuning.py --seed 1', 'arclab fine-tune --seed 1'],
    ['time python inference.py', 'time arclab infer'],
    [
      'CUDA_VISIBLE_DEVICES=0 nohup python inference.py > a.log &',
      'CUDA_VISIBLE_DEVICES=0 nohup arclab infer > a.log &',
    ],
    ['./inference.py --seed 1', 'arclab infer --seed 1'],
    [
      'for i in 1 2; do\n  python inference.py --random_seed $i\ndone',
      'for i in 1 2; do\n  arclab infer --seed $i\ndone',
    ],
    [
      'pip install x; python inference.py && python evaluation.py a',
      'pip install x; arclab infer && arclab evaluate a',
    ],
    ['cat fine-tuning.py', 'cat fine-tuning.py'],
    ['python -m pytest inference.py', 'python -m pytest inference.py'],
    ['echo python inference.py', 'echo python inference.py'],
    ['vim scripts/voting.py', 'vim scripts/voting.py'],
    ['python other.py --random_seed 1', 'python other.py --random_seed 1'],
  ])('%j', (source, expected) => {
    expect(ours(source)).toEqual({ source: expected, notes: [] });
  });

  test.each([
    [
      'accelerate launch --num_processes 1 --mixed_precision bf16 \\\nfine-tuning.py --max_steps 1',
      'arclab fine-tune --max_steps 1',
    ],
    ['accelerate launch --num_processes $n ~/a/fine-tuning.py --x 1', 'arclab fine-tune --x 1'],
    ['torchrun --nproc_per_node 2 fine-tuning.py', 'arclab fine-tune'],
    [
      'condor_submit a.condor command="accelerate launch /x/fine-tuning.py --random_seed 1\n  --grid_encoder \\"A(B())\\"" -append request_gpus=2',
      'arclab fine-tune --seed 1 \\\n--grid_encoder "A(B())"',
    ],
  ])('%j: without the launcher, which is noted', (source, expected) => {
    const command = ours(source);
    expect(command.source).toBe(expected);
    expect(command.notes).toEqual([expect.stringMatching(/^without (accelerate|torchrun): /)]);
  });

  test('paths are replaced, the longest first, and what was put in is not replaced again', () => {
    const paths = new Map([
      ['/mnt', '/data'],
      ['/data', '/other'],
      ['/mnt/a', 'b'],
    ]);
    expect(ours('ls /mnt/a/x /mnt/c /data', paths).source).toBe('ls b/x /data/c /other');
  });
});

test('every command that a script becomes exists', async () => {
  for (const { command } of Object.values(knownScripts)) {
    if (command !== undefined) expect(await ownCommandLine.refusal([command, '--help'])).toBeUndefined();
  }
});

describe('our own command line', () => {
  const refusal = (source: string) => ownCommandLine.refusal(arclabCalls(source, parse)[0]!.words);

  test.each([
    ['arclab infer --model_path m --dataset_path d --output_path o --foo', /unknown option.*--foo/],
    ['arclab infer --model_path m --dataset_path d --output_path o extra', /unexpected argument "extra"/],
    ['arclab infer --model_path m --dataset_path d --output_path o --seed x', /seed.*integer/],
    ['arclab infer --model_path m --dataset_path d --output_path o --grid_encoder "No()"', /No/],
    ['arclab dance', /no command dance/],
    ['arclab fine-tune --model_path m --output_dir o --max_steps 1 --train_datasets a.json', /prompt kind/],
  ])('refuses %s', async (source, reason) => {
    expect(await refusal(source)).toEqual({ reason: expect.stringMatching(reason), isWellFormed: false });
  });

  test.each([
    'arclab infer --model_path m --dataset_path d --output_path o --seed $SEED "$MORE"',
    'arclab infer --model_path $(ls) --dataset_path *.json --output_path o',
    'arclab infer --help',
    'arclab kernel list',
    'arclab fine-tune --model_path m --output_dir o --max_steps $N --train_datasets a.json output-from-examples-v1 2 --train_datasets $D $K',
  ])('accepts %s', async (source) => {
    expect(await refusal(source)).toBeUndefined();
  });

  test.each([
    ['arclab infer --model_path m --dataset_path d --output_path o --prompt_version code-v0', /"code-v0"/],
    [
      'arclab infer --model_path m --dataset_path d --output_path o --prompt_version input-from-inputs-v0',
      /asks for no output/,
    ],
    [
      'arclab fine-tune --model_path m --output_dir o --max_steps 1 --train_datasets a.json predict-output-v2',
      /"predict-output-v2"/,
    ],
    ['arclab infer --model_path m --dataset_path d', /needs --output_path; --default output_path=/],
    ['arclab evaluate a.json', /needs --dataset_path; --default dataset_path=/],
  ])('knows what is not there: %s', async (source, reason) => {
    expect(await refusal(source)).toEqual({ reason: expect.stringMatching(reason), isWellFormed: true });
  });

  test('a call that names what is not there is a cell that says so and may fail', async () => {
    const context = { parse, exists: () => false, paths: new Map(), defaults: new Map(), runAll: false };
    const { items, left } = await blockItems(
      '# code\npython inference.py --model_path m --dataset_path d --output_filepath o --prompt_version code-v0\n' +
        'python fine-tuning.py --model_path m --output_dir o --max_steps 1 --train_datasets omni-arc-100 input-from-inputs-v0',
      { ...context, commandLine: ownCommandLine },
    );
    expect(left).toEqual([]);
    expect(items).toMatchObject([
      { comments: ['# code', '# fails: arclab has no prompt kind "code-v0"'], fails: true },
      { comments: [expect.stringMatching(/^# fails: the script makes one of its data sets/)], fails: true },
    ]);
  });

  test('an import asks it, and adds options that commands take and lack', async () => {
    const context = {
      parse,
      exists: () => false,
      paths: new Map(),
      defaults: new Map([['dataset_path', 'val set.json']]),
      commandLine: ownCommandLine,
      runAll: false,
    };
    const { items, left } = await blockItems(
      'python evaluation.py a.json; python evaluation.py b.json --dataset_path=c.json\nls\npython inference.py --foo\n' +
        '# this should break, there is no such flag\npython evaluation.py --nothing',
      context,
    );
    expect(items.filter(({ type }) => type === 'command')).toMatchObject([
      {
        source:
          "arclab evaluate a.json --dataset_path 'val set.json'; arclab evaluate b.json --dataset_path=c.json",
        fails: false,
      },
      { source: 'ls' },
      { source: "arclab evaluate --nothing --dataset_path 'val set.json'", fails: true },
    ]);
    expect(left).toMatchObject([
      {
        command: "arclab infer --foo --dataset_path 'val set.json'",
        reason: expect.stringMatching(/arclab infer says: unknown option '--foo'/),
      },
    ]);
  });
});
