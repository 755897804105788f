import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { Rng } from '../../src/common/rng.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';
import { type Ended, launch } from './launch.js';

/** One model and its data sets for all tests of this file. */
let kept = '';

beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-fine-tune-'));
  writeTinyModel(join(kept, 'model'));
  writeTasks(join(kept, 'train.json'), recolourTasks(8));
  writeTasks(join(kept, 'val.json'), recolourTasks(3));
  const unsolved = Object.entries(recolourTasks(1)).map(([id, { train, test }]) => [
    id,
    { train, test: test.map(({ input }) => ({ input })) },
  ]);
  writeTasks(join(kept, 'unsolved.json'), Object.fromEntries(unsolved));
  mkdirSync(join(kept, 'empty'));
  return () => rmSync(kept, { recursive: true });
});

/** The names of files of this test, in flags, as paths. */
const inFolder = (flags: readonly string[]) =>
  flags.map((flag) => (/^(empty|\w+\.json)/.test(flag) ? join(kept, flag) : flag));

/** `fine-tune` on the tiny model; later flags win. */
function fineTuneArguments(flags: readonly string[]): string[] {
  const common =
    '--max_steps=12 --eval_steps 6 --save_steps 2 --logging_steps 5 --batch_size 2 --max_seq_len 512';
  return [
    'fine-tune',
    `--model_path=${join(kept, 'model')}`,
    ...inFolder(['--train_datasets', 'train.json', 'output-from-examples-mini']),
    ...inFolder(['--train_datasets', 'train.json', 'input-from-inputs-mini', '0.5']),
    ...inFolder(['--val_dataset', 'val.json', 'output-from-examples-mini']),
    ...inFolder(['--val_dataset', 'val.json', 'input-from-inputs-mini']),
    ...['--grid_encoder', 'MinimalGridEncoder()', '--learning_rate', '0.01', '--lora_r', '2'],
    ...common.split(' '),
    ...flags,
  ];
}

/** Fine-tunes in a process of its own. */
const start = (flags: readonly string[]) => launch(fineTuneArguments(flags));

const run = (flags: readonly string[]) => start(flags).ended;

/** The files that must be equal in equal runs: weights and optimizer. */
function tensorsOf(checkpoint: string): Buffer[] {
  return ['adapter_model.safetensors', 'optimizer.safetensors'].map((name) =>
    readFileSync(join(checkpoint, name)),
  );
}

/** Losses, without what depends on the clock. */
function losses(folder: string): unknown[] {
  return readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ type, step, loss, tokens, kinds }) => ({ type, step, loss, tokens, kinds }));
}

function expectOnlyWholeCheckpoints(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!name.startsWith('checkpoint-')) continue;
    expect(readdirSync(join(folder, name)).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'cfg.json',
      'optimizer.safetensors',
      'trainer_state.json',
    ]);
    JSON.parse(readFileSync(join(folder, name, 'trainer_state.json'), 'utf8'));
  }
}

describe('a run that is stopped and continued', () => {
  test('by SIGKILL at random moments: no half checkpoint, and the same weights and losses in the end', async () => {
    const folder = temporaryFolder();
    const whole = join(folder, 'whole');
    const reference = await run(['--output_dir', whole]);
    expect(reference).toMatchObject({ code: 0 });
    expect(reference.stdout).toBe(`${join(whole, 'checkpoint-12')}\n`);

    const killed = join(folder, 'killed');
    const rng = Rng.of(Date.now());
    let kills = 0;
    let continued = 0;
    for (let ended: Ended | undefined; ended?.code !== 0; ) {
      const { child, ended: end, stderr } = start(['--output_dir', killed]);
      // after it saved once or twice, so that it gets on; the last time it is left alone
      const wanted = rng.int(1, 2);
      const timer = setInterval(() => {
        if (kills >= 3 || stderr().split('saved').length <= wanted) return;
        kills++;
        child.kill('SIGKILL');
        clearInterval(timer);
      }, 5);
      ended = await end;
      clearInterval(timer);
      if (ended.code !== null) expect(ended.stderr).not.toContain('error');
      if (ended.stderr.includes('continuing')) continued++;
      expectOnlyWholeCheckpoints(killed);
    }
    expect(continued).toBeGreaterThan(0);
    expect(tensorsOf(join(killed, 'checkpoint-12'))).toEqual(tensorsOf(join(whole, 'checkpoint-12')));
    expect(losses(killed)).toEqual(losses(whole));
    expect(readdirSync(killed).sort()).toEqual(readdirSync(whole).sort());
  });

  test.each(['fine-tune', 'test-time-fine-tune'])(
    'while it runs, a second one (%s) into its folder is refused in one line',
    async (command) => {
      const folder = temporaryFolder();
      const first = start(['--output_dir', folder]);
      while (!statSync(join(folder, '.arclab.lock'), { throwIfNoEntry: false })?.size) await sleep(5);
      // before its end, however slow the machine is
      first.child.kill('SIGSTOP');
      const flags = [
        '--model_path',
        join(kept, 'model'),
        '--dataset_path',
        join(kept, 'train.json'),
        '--max_steps',
        '2',
      ];
      const second =
        command === 'fine-tune'
          ? await run(['--output_dir', folder])
          : await launch([command, ...flags, '--output_dir', folder]).ended;
      first.child.kill('SIGCONT');
      expect(second.code).toBe(2);
      expect(second.stderr).toMatch(
        /^error: .* is in use: process \d+ on .* has been writing to it since .* UTC; wait until it ends, or give another --output_dir\n$/,
      );
      expect((await first.ended).code).toBe(0);
      expect(readdirSync(folder)).not.toContain('.arclab.lock');
      expect(readdirSync(folder)).not.toContain('n_minus_one.json');
    },
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'by %s: it finishes the step, saves, says how to go on, and exits with %i',
    async (signal, exit) => {
      const folder = temporaryFolder();
      const { child, ended, stderr } = start([
        '--output_dir',
        folder,
        '--max_steps',
        '10000',
        '--save_steps',
        '-1',
      ]);
      const timer = setInterval(() => {
        if (!stderr().includes('loss')) return;
        child.kill(signal);
        clearInterval(timer);
      }, 20);
      const { code, stderr: text } = await ended;
      expect(code).toBe(exit);
      const [, step] = /stopped at step (\d+); the same command continues from/.exec(text)!;
      expectOnlyWholeCheckpoints(folder);
      expect(readdirSync(folder)).toContain(`checkpoint-${step}`);
      const more = String(Number(step) + 1);
      expect((await run(['--output_dir', folder, '--max_steps', more])).stderr).toContain(
        `at step ${step}\n`,
      );
    },
  );
});

test('a run reports validation losses per prompt kind and data set, and is not repeated when it is complete', async () => {
  const folder = temporaryFolder();
  const first = await run(['--output_dir', folder, '--verbose', '--max_steps', '6']);
  expect(first.stderr).toMatch(
    /step 6\/6 val_loss [\d.]+ over 6 samples; by kind: input-from-inputs-mini [\d.]+, output-from-examples-mini [\d.]+; by data set: val [\d.]+/,
  );
  const again = await run(['--output_dir', folder, '--max_steps', '6']);
  expect(again).toMatchObject({ code: 0, stdout: first.stdout });
  expect(again.stderr).toContain('nothing to do');
  const other = await run(['--output_dir', folder, '--seed', '8']);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('--seed was 7 and is 8');
  const over = await run([
    '--output_dir',
    folder,
    '--max_steps',
    '2',
    '--seed',
    '8',
    '--no-resume_from_checkpoint',
  ]);
  expect(over).toMatchObject({ code: 0, stdout: `${join(folder, 'checkpoint-2')}\n` });
  expect(readdirSync(join(folder, 'previous-1'))).toContain('checkpoint-6');
  const adapter = await run([
    ...['--output_dir', join(folder, 'more'), '--max_steps', '2'],
    ...['--adapter_path', join(folder, 'checkpoint-2')],
  ]);
  expect(adapter).toMatchObject({ code: 0 });
});

describe('a mistake ends in one line and exit code 2', () => {
  test.each<[string[], RegExp]>([
    [
      ['--train_datasets', 'train.json', 'predict-output-v2'],
      /"predict-output-v2". Known kinds: output-from-/,
    ],
    [['--grid_encoder', 'NoEncoder()'], /NoEncoder/],
    [['--train_datasets', 'missing.json', 'output-from-examples-mini'], /missing\.json: .*no such file/],
    [['--train_datasets', 'unsolved.json', 'output-from-examples-mini'], /unsolved\.json: .*not known/],
    [
      ['--train_datasets', 'train.json'],
      /--train_datasets: expected pairs of a data set file and a prompt kind, found ".*train\.json/,
    ],
    [['--model_path', 'empty'], /empty.*config\.json.*no such file/],
    [['--loss_weights', 'nothing=2'], /--loss_weights: "nothing" is neither/],
    [['--loss_weights', 'two'], /--loss_weights: expected name=number, found "two"/],
    [['--output_dir', 'train.json/x'], /--output_dir: cannot write/],
    [['--max_seq_len', '10'], /--max_seq_len 10/],
    [['--adapter_path', 'empty'], /empty/],
    [['--lr_scheduler_type', 'steps'], /--lr_scheduler_type: expected one of linear, .*, found "steps"/],
    [['--max_stps', '3'], /unknown option '--max_stps' \(Did you mean --max_steps\?\)/],
    [['--max_steps', 'three'], /--max_steps: expected an integer of at least 1, found "three"/],
    [['--learning_rate', '-1'], /--learning_rate: expected a number of at least 0, found -1/],
    [['--task_augmentation_weights', '{"kinds":{"x":1}}'], /--task_augmentation_weights: .*"x"/],
    [
      ['--task_augmentation_weights', '{x'],
      /--task_augmentation_weights: expected a JSON object, found "\{x"/,
    ],
    [['--val_dataset', 'val.json', 'output-from-examples-mini', '2'], /--val_dataset/],
    [['--output_dir', '/proc/arclab'], /--output_dir: cannot write to \/proc/],
    [['--backend', 'abacus'], /abacus/],
  ])('%j', async (flags, message) => {
    const written: string[] = [];
    for (const stream of [process.stderr, process.stdout]) {
      const spy = vi.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0);
      onTestFinished(() => spy.mockRestore());
    }
    const output = join(temporaryFolder(), 'out');
    const code = await main(
      fineTuneArguments(['--output_dir', output, '--max_steps', '1', ...inFolder(flags)]),
    );
    expect(written.join('')).toMatch(message);
    expect(written.join('').trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });
});

test.each([
  ['help', 'fine-tune'],
  ['fine-tune', '--help'],
])('%s %s prints the options of the command', async (...flags) => {
  let written = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += text;
    return true;
  });
  onTestFinished(() => spy.mockRestore());
  expect(await main(flags)).toBe(0);
  expect(written).toContain('--[no-]remove_train_samples_to_fit_max_seq_len');
});

test.each([
  [['finetune', '--help'], /unknown command 'finetune' \(Did you mean fine-tune\?\)/],
  [['help', 'merge-lor'], /unknown command 'merge-lor' \(Did you mean merge-lora\?\)/],
])('%j names the command that was meant', async (flags, message) => {
  let written = '';
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += text;
    return true;
  });
  onTestFinished(() => spy.mockRestore());
  expect(await main(flags)).toBe(2);
  expect(written).toMatch(message);
});
