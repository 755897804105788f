/** Several processes that share one training or one inference, started by a real mpirun. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mpirunWords } from '../../src/cli/mpirun.js';
import { buildFile } from '../../src/common/files.js';
import { SafetensorsFile } from '../../src/models/safetensors.js';
import { listCheckpoints, readCheckpoint } from '../../src/training/checkpoints.js';
import { programUnderTest } from '../prerequisites/index.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const mpirun = programUnderTest('mpirun');

const folder = mkdtempSync(join(tmpdir(), 'arclab-ranks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

/** A process, and how it ended. */
interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stderr: string; stdout: string }>;
  readonly stderr: () => string;
}

function start(program: string, words: readonly string[]): Started {
  const env = { ...process.env, VITEST: undefined, ARCLAB_THREADS: '1', ARCLAB_MPIRUN: mpirun };
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    written.stdout += data;
  });
  child.stderr.on('data', (data) => {
    written.stderr += data;
  });
  const ended = new Promise<{ code: number | null; stderr: string; stdout: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, ...written })),
  );
  return { child, ended, stderr: () => written.stderr };
}

const arclab = (...words: string[]) => start(process.execPath, [buildFile('arclab.cjs'), ...words]);
const launch = (processes: number, ...words: string[]) =>
  arclab('launch', '--processes', String(processes), ...words);

/** Runs to the end, which must be a good one. */
async function done(started: Started): Promise<string> {
  const { code, stderr, stdout } = await started.ended;
  expect(code, stderr).toBe(0);
  return stdout + stderr;
}

/** A training with dropout; every point of it is logged. */
const training = (outputDir: string, ...more: string[]): string[] => [
  ...['fine-tune', '--model_path', at('model'), '--output_dir', at(outputDir), '--backend', 'wasm'],
  ...['--train_datasets', at('tasks.json'), 'output-from-examples-v1'],
  ...['--val_dataset', at('tasks.json'), 'output-from-examples-v1', '--max_seq_len', '1024'],
  ...['--max_steps', '6', '--eval_steps', '3', '--logging_steps', '1', '--batch_size', '8'],
  ...['--learning_rate', '1e-3', '--lora_r', '4', '--workers', '0', ...more],
];
const dropout = ['--lora_dropout', '0.1'];

interface Point {
  readonly type: string;
  readonly step: number;
  readonly loss: number;
}

const points = (outputDir: string): Point[] =>
  readFileSync(join(at(outputDir), 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Point);

/** Losses of training and validation are the same to 1e-6. */
function expectSameLosses(outputDir: string, reference: string): void {
  const [found, expected] = [points(outputDir), points(reference)];
  expect(found.map(({ type, step }) => [type, step])).toEqual(expected.map(({ type, step }) => [type, step]));
  for (const [i, { loss }] of found.entries()) expect(Math.abs(loss - expected[i]!.loss)).toBeLessThan(1e-6);
}

/** The largest difference between the weights of two checkpoints, and the largest weight. */
function difference(a: string, b: string, name: string): number {
  const [one, other] = [a, b].map((path) => new SafetensorsFile(join(at(path), name)));
  let largest = 0;
  for (const key of one!.tensors.keys()) {
    const [x, y] = [one!.read(key).values, other!.read(key).values];
    for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(Number(x[i]) - Number(y[i])));
  }
  one!.close();
  other!.close();
  return largest;
}

const bytes = (path: string) => readFileSync(at(path)).toString('base64');
const ADAPTER = 'adapter_model.safetensors';

/** The process of a rank among those below another. */
function processOfRank(rank: number, ancestor: number): number | undefined {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      if (!environment.includes(`OMPI_COMM_WORLD_RANK=${rank}`)) continue;
      let parent = Number(name);
      while (parent > 1 && parent !== ancestor) {
        parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${parent}/status`, 'utf8'))?.[1]);
      }
      if (parent === ancestor) return Number(name);
    } catch {
      // it has ended
    }
  }
  return undefined;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.skipIf(mpirun === undefined)('ranks of mpirun', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    writeTinyModel(at('model'));
    writeTasks(at('tasks.json'), recolourTasks(8));
    await done(arclab(...training('alone', ...dropout)));
  }, 120_000);

  test('losses of 2 and 4 ranks are those of one process, and so are the weights', async () => {
    const text = await done(launch(2, ...training('two', ...dropout)));
    expect(text).toContain('2 ranks share each batch; gradients go over MPI (Open MPI');
    // one rank speaks
    expect(text.match(/^step 6\/6 loss/gm)).toHaveLength(1);
    await done(launch(4, ...training('four', ...dropout)));
    for (const name of ['two', 'four']) {
      expectSameLosses(name, 'alone');
      // six steps of AdamW have moved weights by up to 6e-3
      expect(difference(`${name}/checkpoint-6`, 'alone/checkpoint-6', ADAPTER)).toBeLessThan(1e-5);
    }
  });

  test('two runs of as many ranks are the same to the bit, without launch', async () => {
    const words = mpirunWords({ program: mpirun!, kind: 'Open MPI' }, 2, [
      process.execPath,
      buildFile('arclab.cjs'),
      ...training('again', ...dropout),
    ]);
    await done(start(mpirun!, words));
    expect(points('again').map(({ loss }) => loss)).toEqual(points('two').map(({ loss }) => loss));
    for (const name of [ADAPTER, 'optimizer.safetensors']) {
      expect(bytes(`again/checkpoint-6/${name}`)).toBe(bytes(`two/checkpoint-6/${name}`));
    }
  });

  test('a run goes on with another number of ranks', async () => {
    cpSync(join(at('alone'), 'checkpoint-3'), join(at('more'), 'checkpoint-3'), { recursive: true });
    cpSync(join(at('two'), 'checkpoint-3'), join(at('fewer'), 'checkpoint-3'), { recursive: true });
    for (const [name, from] of [
      ['more', 'alone'],
      ['fewer', 'two'],
    ] as const) {
      cpSync(join(at(from), 'metrics.jsonl'), join(at(name), 'metrics.jsonl'));
    }
    expect(await done(launch(3, ...training('more', ...dropout)))).toContain('continuing');
    await done(arclab(...training('fewer', ...dropout)));
    for (const name of ['more', 'fewer']) {
      expectSameLosses(name, 'alone');
      expect(difference(`${name}/checkpoint-6`, 'alone/checkpoint-6', ADAPTER)).toBeLessThan(1e-5);
    }
  });

  test('all weights: moments are split over the ranks and joined in checkpoints', async () => {
    await done(arclab(...training('whole', '--no-use_lora')));
    const text = await done(launch(2, ...training('split', '--no-use_lora')));
    expect(text).toMatch(
      /moments are split over 2 ranks \(ZeRO-1\): at most \S+ MB on each in place of \S+ MB/,
    );
    expectSameLosses('split', 'whole');
    expect(difference('split/checkpoint-6', 'whole/checkpoint-6', 'optimizer.safetensors')).toBeLessThan(
      1e-5,
    );
    // its checkpoint goes on in one process, and one of one process on two ranks
    cpSync(join(at('split'), 'checkpoint-3'), join(at('joined'), 'checkpoint-3'), { recursive: true });
    cpSync(join(at('whole'), 'checkpoint-3'), join(at('resplit'), 'checkpoint-3'), { recursive: true });
    await done(arclab(...training('joined', '--no-use_lora')));
    await done(launch(2, ...training('resplit', '--no-use_lora')));
    for (const name of ['joined', 'resplit']) {
      expect(difference(`${name}/checkpoint-6`, 'whole/checkpoint-6', 'model.safetensors')).toBeLessThan(
        2e-5,
      );
    }
  });

  test('a rank that is killed ends the others within seconds, in one line, with whole checkpoints', async () => {
    const started = launch(
      2,
      ...training('killed', ...dropout, '--max_steps', '100000', '--save_steps', '2'),
    );
    await until(() => listCheckpoints(at('killed')).length > 1 || started.child.exitCode !== null);
    const victim = processOfRank(1, started.child.pid!);
    expect(victim, started.stderr()).toBeDefined();
    const killedAt = performance.now();
    process.kill(victim!, 'SIGKILL');
    const { code, stderr } = await started.ended;
    expect(performance.now() - killedAt).toBeLessThan(10_000);
    expect(code).not.toBe(0);
    expect(stderr.match(/^error: .*$/gm)).toEqual([
      expect.stringMatching(
        /^error: rank 1 \(on .+\) was ended by signal 9 \(Killed\); the others were stopped$/,
      ),
    ]);
    const checkpoints = listCheckpoints(at('killed'));
    expect(checkpoints.length).toBeGreaterThan(0);
    for (const { path, step } of checkpoints) {
      expect(readCheckpoint(path).state.step).toBe(step);
      new SafetensorsFile(join(path, ADAPTER)).close();
    }
    expect(processOfRank(0, started.child.pid!)).toBeUndefined();
  });

  test('ranks that differ, or do not fit, end with one line before they train', async () => {
    const program = [process.execPath, buildFile('arclab.cjs')];
    const root = mpirunWords({ program: mpirun!, kind: 'Open MPI' }, 1, []).slice(0, -2);
    const both = (first: string[], second: string[]) =>
      start(mpirun!, [...root, '-n', '1', ...program, ...first, ':', '-n', '1', ...program, ...second]).ended;
    const errors = (stderr: string) => stderr.match(/^error: .*$/gm);
    const options = await both(training('wrong'), training('wrong', '--weight_decay', '0.5'));
    expect(errors(options.stderr)).toEqual([
      'error: rank 1: found --weight_decay 0.5, expected 0 as on rank 0: all ranks need the same options, data and version',
    ]);
    const missing = training('wrong').map((word) => word.replace('tasks.json', 'nothing.json'));
    const data = await both(training('wrong'), missing);
    expect(errors(data.stderr)).toEqual([
      expect.stringMatching(/^error: rank 1: .*nothing\.json: .*no such file/),
    ]);
    const commands = await both(training('wrong'), ['infer']);
    expect(errors(commands.stderr)).toEqual([
      expect.stringMatching(/^error: rank 1: found the command "infer"/),
    ]);
    const small = await launch(2, ...training('wrong', '--batch_size', '1')).ended;
    expect(small.stderr).toBe(
      'error: --batch_size: expected at least one sample for each of 2 ranks, found 1; give a larger one, or start fewer\n',
    );
    const flag = await launch(2, 'fine-tune', '--max_step', '3').ended;
    expect(flag.stderr).toMatch(/^error: unknown option '--max_step'.*\n$/);
    expect([options, data, commands, small, flag].map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(existsSync(at('wrong'))).toBe(false);
  });

  test('infer, score and search write the bytes of one process', async () => {
    const common = ['--model_path', at('model'), '--dataset_path', at('tasks.json'), '--backend', 'wasm'];
    const flows: Record<string, string[]> = {
      infer: [
        '--predictions_per_task',
        '8',
        '--max_new_tokens',
        '6',
        '--temperature',
        '1',
        '--batch_size',
        '2',
      ],
      score: ['--augmentations', '6', '--max_tokens_per_batch', '256'],
      search: ['--views', '2', '--threshold', '0.0001', '--batch_size', '1', '--max_new_tokens', '2'],
    };
    for (const [flow, options] of Object.entries(flows)) {
      const words = (output: string) => [flow, ...common, ...options, '--output_filepath', at(output)];
      await done(arclab(...words(`${flow}-1.json`)));
      await done(launch(3, ...words(`${flow}-3.json`)));
      expect(bytes(`${flow}-3.json`), flow).toBe(bytes(`${flow}-1.json`));
      if (flow !== 'score') {
        expect(bytes(`${flow}-3_task_results.json`), flow).toBe(bytes(`${flow}-1_task_results.json`));
      }
      expect(readdirSync(folder).filter((name) => name.includes('.partial'))).toEqual([]);
    }
  });

  test('launch says what it takes, and what to install', async () => {
    const unshared = await launch(2, 'evaluate').ended;
    expect(unshared.stderr).toContain(
      'expected a command that several processes share (fine-tune, infer, search, score)',
    );
    const words = [buildFile('arclab.cjs'), 'launch', '--processes', '2', 'infer'];
    const child = spawn(process.execPath, words, {
      env: { PATH: '/nowhere' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: .*mpirun is not on the PATH.*apt-get install openmpi-bin libopenmpi3.*\n$/,
    );
  });
});
