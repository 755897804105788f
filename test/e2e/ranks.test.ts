/** Several processes that share one training or one inference, started by a real mpirun: Open MPI's, or that of ARCLAB_MPIRUN. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findMpirun, mpirunWords } from '../../src/cli/mpirun.js';
import { buildFile, readJson } from '../../src/common/files.js';
import { SafetensorsFile } from '../../src/models/safetensors.js';
import { listCheckpoints, readCheckpoint } from '../../src/training/checkpoints.js';
import { programUnderTest } from '../prerequisites/index.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const mpirun = programUnderTest('mpirun');
if (mpirun !== undefined) process.env.ARCLAB_MPIRUN = mpirun;
const kind = mpirun === undefined ? 'Open MPI' : findMpirun().kind;
const rankVariable = kind === 'Open MPI' ? 'OMPI_COMM_WORLD_RANK' : 'PMI_RANK';

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
  const env = { ...process.env, VITEST: undefined, ARCLAB_THREADS: '1' };
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
  ...['--val_dataset', at('few.json'), 'output-from-examples-v1', '--max_seq_len', '1024'],
  ...['--max_steps', '4', '--eval_steps', '2', '--logging_steps', '1', '--batch_size', '4'],
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
      if (!environment.includes(`${rankVariable}=${rank}`)) continue;
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
    writeTasks(at('few.json'), recolourTasks(3));
    await done(arclab(...training('alone', ...dropout)));
  }, 120_000);

  test('losses of 2 and 4 ranks are those of one process, and so are the weights', async () => {
    const text = await done(launch(2, ...training('two', ...dropout)));
    expect(text).toContain(`2 ranks share each batch; gradients go over MPI (${kind} `);
    // one rank speaks
    expect(text.match(/^step 4\/4 loss/gm)).toHaveLength(1);
    await done(launch(4, ...training('four', ...dropout)));
    for (const name of ['two', 'four']) {
      expectSameLosses(name, 'alone');
      // four steps of AdamW have moved weights by up to 4e-3
      expect(difference(`${name}/checkpoint-4`, 'alone/checkpoint-4', ADAPTER)).toBeLessThan(1e-5);
    }
  });

  test('two runs of as many ranks are the same to the bit, the second by a program that imports the library', async () => {
    const { config } = readJson(join(at('two'), 'run.json')) as { config: object };
    const program = at('program.cjs');
    writeFileSync(
      program,
      `const { fineTune, joinRanks } = require(${JSON.stringify(buildFile('index.cjs'))});
      joinRanks().then(async (ranks) => {
        const { steps } = await fineTune({ ...${JSON.stringify({ ...config, outputDir: at('again') })}, ranks });
        console.log([ranks.rank, ranks.size, steps].join(" "));
        await ranks.leave();
      });`,
    );
    const words = mpirunWords({ program: mpirun!, kind }, 2, [process.execPath, program]);
    const lines = (await done(start(mpirun!, words))).trim().split('\n');
    expect(lines.sort()).toEqual(['0 2 4', '1 2 4']);
    expect(points('again').map(({ loss }) => loss)).toEqual(points('two').map(({ loss }) => loss));
    for (const name of [ADAPTER, 'optimizer.safetensors']) {
      expect(bytes(`again/checkpoint-4/${name}`)).toBe(bytes(`two/checkpoint-4/${name}`));
    }
  });

  test('a run goes on with another number of ranks', async () => {
    cpSync(join(at('alone'), 'checkpoint-2'), join(at('more'), 'checkpoint-2'), { recursive: true });
    cpSync(join(at('two'), 'checkpoint-2'), join(at('fewer'), 'checkpoint-2'), { recursive: true });
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
      expect(difference(`${name}/checkpoint-4`, 'alone/checkpoint-4', ADAPTER)).toBeLessThan(1e-5);
    }
  });

  test("all weights: the optimizer's state is split over the ranks and joined in checkpoints", async () => {
    await done(arclab(...training('whole', '--no-use_lora')));
    const text = await done(launch(2, ...training('split', '--no-use_lora')));
    expect(text).toMatch(/state is split over 2 ranks \(ZeRO-1\): at most \S+ MB on each in place of \S+ MB/);
    expectSameLosses('split', 'whole');
    expect(difference('split/checkpoint-4', 'whole/checkpoint-4', 'optimizer.safetensors')).toBeLessThan(
      1e-5,
    );
    // a checkpoint of one process goes on with a split state; that its own is whole is said above
    cpSync(join(at('whole'), 'checkpoint-2'), join(at('resplit'), 'checkpoint-2'), { recursive: true });
    await done(launch(2, ...training('resplit', '--no-use_lora')));
    expect(difference('resplit/checkpoint-4', 'whole/checkpoint-4', 'model.safetensors')).toBeLessThan(2e-5);
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
    // long before they would stop waiting for it
    expect(performance.now() - killedAt).toBeLessThan(60_000);
    expect(code).not.toBe(0);
    // hydra does not say which rank it was
    const who = kind === 'Open MPI' ? 'rank 1 \\(on .+\\)' : `a rank \\(process ${victim} on .+\\)`;
    expect(stderr.match(/^error: .*$/gm)).toEqual([
      expect.stringMatching(`^error: ${who} was ended by signal 9( \\(Killed\\))?; the others were stopped$`),
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
    const root = mpirunWords({ program: mpirun!, kind }, 1, []).slice(0, -2);
    const both = (first: string[], second: string[]) =>
      start(mpirun!, [...root, '-n', '1', ...program, ...first, ':', '-n', '1', ...program, ...second]).ended;
    const errors = (stderr: string) => stderr.match(/^error: .*$/gm);
    const missing = training('wrong').map((word) => word.replace('tasks.json', 'nothing.json'));
    const [options, data, commands, small, flag] = await Promise.all([
      both(training('wrong'), training('wrong', '--weight_decay', '0.5')),
      both(training('wrong'), missing),
      both(training('wrong'), ['infer']),
      launch(2, ...training('wrong', '--batch_size', '1')).ended,
      launch(2, 'fine-tune', '--max_step', '3').ended,
    ]);
    expect(errors(options.stderr)).toEqual([
      'error: rank 1: found --weight_decay 0.5, expected 0 as on rank 0: all ranks need the same options, data and version',
    ]);
    expect(errors(data.stderr)).toEqual([
      expect.stringMatching(/^error: rank 1: .*nothing\.json: .*no such file/),
    ]);
    expect(errors(commands.stderr)).toEqual([
      expect.stringMatching(/^error: rank 1: found the command "infer"/),
    ]);
    expect(small.stderr).toBe(
      'error: --batch_size: expected at least one sample for each of 2 ranks, found 1; give a larger one, or start fewer\n',
    );
    expect(flag.stderr).toMatch(/^error: unknown option '--max_step'.*\n$/);
    expect([options, data, commands, small, flag].map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(existsSync(at('wrong'))).toBe(false);
  });

  test('infer, score and search write the bytes of one process', async () => {
    const common = ['--model_path', at('model'), '--dataset_path', at('few.json'), '--backend', 'wasm'];
    const flows: Record<string, string[]> = {
      infer: [
        '--predictions_per_task',
        '4',
        '--max_new_tokens',
        '4',
        '--temperature',
        '1',
        '--batch_size',
        '2',
      ],
      score: ['--augmentations', '4', '--max_tokens_per_batch', '256'],
      search: ['--views', '1', '--threshold', '0.0001', '--batch_size', '1', '--max_new_tokens', '2'],
    };
    for (const [flow, options] of Object.entries(flows)) {
      const words = (output: string) => [flow, ...common, ...options, '--output_path', at(output)];
      await done(arclab(...words(`${flow}-1.json`)));
      await done(launch(3, ...words(`${flow}-3.json`)));
      expect(bytes(`${flow}-3.json`), flow).toBe(bytes(`${flow}-1.json`));
      if (flow !== 'score') {
        expect(bytes(`${flow}-3_task_results.json`), flow).toBe(bytes(`${flow}-1_task_results.json`));
      }
      expect(readdirSync(folder).filter((name) => name.includes('.partial'))).toEqual([]);
    }
  });

  test('infer-evaluate writes the bytes of one process, and a record that says how many shared it', async () => {
    const of = (outputDir: string) => [
      ...['infer-evaluate', join(at(outputDir), 'checkpoint-4'), '--backend', 'wasm', '--batch_size', '1'],
      ...['--predictions_per_task', '4', '--max_new_tokens', '4', '--output_path'],
    ];
    const alone = await done(arclab(...of('two'), at('evaluated-1.json')));
    const shared = await done(launch(2, ...of('two'), at('evaluated-2.json')));
    expect(shared.match(/^(predictions|voted): .*$/gm)).toEqual(alone.match(/^(predictions|voted): .*$/gm));
    for (const name of ['', '_task_results']) {
      expect(bytes(`evaluated-2${name}.json`)).toBe(bytes(`evaluated-1${name}.json`));
    }
    const ranksOf = (path: string) => (readJson(at(path)) as { ranks: number }).ranks;
    expect(ranksOf('evaluated-2_run.json')).toBe(2);
    expect(ranksOf('evaluated-1_run.json')).toBe(1);
    expect(ranksOf('four/run.json')).toBe(4);
    // nothing to do, on all ranks alike; what it says is that of the run that did it
    expect(await done(launch(3, ...of('two'), at('evaluated-2.json')))).toContain('up to date');
    expect(ranksOf('evaluated-2_run.json')).toBe(2);
  });

  test('test-time-fine-tune is shared, and tasks by themselves are not', async () => {
    const of = (outputDir: string, ...more: string[]) => [
      ...['test-time-fine-tune', '--model_path', at('model'), '--dataset_path', at('few.json')],
      ...['--prompt_version', 'output-from-examples-v1', '--backend', 'wasm', '--output_dir', at(outputDir)],
      ...[
        '--max_steps',
        '2',
        '--batch_size',
        '2',
        '--max_seq_len',
        '1024',
        '--lora_r',
        '2',
        '--workers',
        '0',
      ],
      ...['--logging_steps', '1', ...more],
    ];
    await done(arclab(...of('test-time-1')));
    await done(launch(2, ...of('test-time-2')));
    expectSameLosses('test-time-2', 'test-time-1');
    const { code, stderr } = await launch(2, ...of('test-time-3', '--per_task')).ended;
    expect(code).toBe(2);
    expect(stderr).toBe(
      'error: --per_task: tasks by themselves are not shared by 2 processes: start one, or leave it out\n',
    );
  });

  test('processes that would each make a whole submission are refused in one line', async () => {
    const words = [process.execPath, buildFile('arclab.cjs'), 'submit', '--output_dir', at('submission')];
    const { code, stderr } = await start(mpirun!, mpirunWords({ program: mpirun!, kind }, 2, words)).ended;
    expect(code).toBe(2);
    expect(stderr.match(/^error: .*$/gm)).toEqual([
      expect.stringMatching(/^error: submit: .* started 2 processes, and each would do all of it: start one/),
    ]);
    expect(existsSync(at('submission'))).toBe(false);
  });

  test('launch says what it takes, and what to install', async () => {
    const unshared = await launch(2, 'evaluate').ended;
    expect(unshared.stderr).toContain(
      'expected a command that several processes share (fine-tune, test-time-fine-tune, infer, infer-evaluate, search, score)',
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
