import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import type { Task } from '../../src/arc/types.js';
import { buildFile, packageRoot } from '../../src/common/files.js';
import { validateSubmission } from '../../src/evaluation/submission.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { loadTokenizer } from '../../src/prompts/index.js';
import { type SubmitOptions, type SubmitParts, submit } from '../../src/submit/submit.js';
import { poison } from '../models/poison.js';
import { keepNotes } from '../notes.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';
import { launch } from './launch.js';

let kept = '';
let tasks: ReadonlyMap<string, Task>;
const workerFile = join(packageRoot(), 'test/e2e/faulty-worker.cjs');
const challenges = () => join(kept, 'challenges.json');

beforeAll(async () => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-submit-'));
  writeTinyModel(join(kept, 'model'));
  const unsolved = Object.entries(recolourTasks(6)).map(
    (
      [
        id,
        {
          train,
          test: [sample],
        },
      ],
      i,
    ) => [id, { train, test: Array.from({ length: i === 1 ? 2 : 1 }, () => ({ input: sample!.input })) }],
  );
  writeTasks(challenges(), Object.fromEntries(unsolved));
  writeTasks(join(kept, 'solved.json'), recolourTasks(3));
  tasks = loadTasks(challenges());
  return () => rmSync(kept, { recursive: true });
});
afterEach(() => vi.unstubAllEnvs());

const options = (more: Partial<SubmitOptions> = {}): SubmitOptions => ({
  challengesPath: challenges(),
  outputDir: temporaryFolder(),
  modelPath: join(kept, 'model'),
  gridEncoder: 'MinimalGridEncoder()',
  promptVersion: 'output-from-examples-mini',
  predictionsPerTask: 3,
  batchSize: 2,
  maxNewTokens: 12,
  ...more,
});

const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
const valid = (folder: string) => validateSubmission(JSON.parse(read(folder, 'submission.json')), tasks);
const faulty = (faults: object, more: Partial<SubmitOptions> = {}, parts: SubmitParts = {}) => {
  vi.stubEnv('ARCLAB_TEST_FAULTS', JSON.stringify(faults));
  return submit(options(more), { workerFile, ...parts });
};

describe('submit', () => {
  test('predicts for all inputs; one process, two, and other batches give the same bytes', async () => {
    const [a, b, c] = [temporaryFolder(), temporaryFolder(), temporaryFolder()] as const;
    const first = await submit(options({ outputDir: a }));
    expect(first).toMatchObject({
      testInputs: 7,
      predictions: 21,
      unanswered: 0,
      failures: [],
      deadline: false,
    });
    await submit(options({ outputDir: b, processes: 2 }));
    await submit(options({ outputDir: c, batchSize: 7 }));
    for (const name of ['submission.json', 'submission_task_results.json', 'failures.json']) {
      expect(read(b, name)).toBe(read(a, name));
    }
    // the last digits of log-probabilities may differ
    expect(read(c, 'submission.json')).toBe(read(a, 'submission.json'));
    valid(a);
    expect(read(a, 'failures.json')).toBe('[]\n');
  });

  test('fine-tunes on the train samples first, and scores where the outputs are known', async () => {
    const outputDir = temporaryFolder();
    const steps: number[] = [];
    const result = await submit({
      ...options({
        outputDir,
        challengesPath: join(kept, 'solved.json'),
        colorAugmentation: false,
        fineTuneSteps: 60,
        fineTuneLearningRate: 0.02,
        fineTuneBatchSize: 4,
        lora: { r: 4, alpha: 8 },
        processes: 2,
      }),
      onEvent: (event) => {
        if (event.type === 'fine-tuning') steps.push(event.step);
      },
    });
    expect(result.failures).toEqual([]);
    expect(steps.at(-1)).toBe(60);
    // every output of these tasks is all 3: easy to learn, impossible without
    expect(result.metrics!.vote_2).toBe(1);
    expect(existsSync(join(outputDir, 'fine-tuning/checkpoint-60'))).toBe(true);
  });

  test('groups of tasks get adapters of their own, and one process makes what two make', async () => {
    const common = { fineTuneSteps: 3, fineTuneGroups: 2, fineTuneBatchSize: 2, lora: { r: 2 } };
    const [a, b] = [temporaryFolder(), temporaryFolder()] as const;
    await submit(options({ ...common, outputDir: a }));
    await submit(options({ ...common, outputDir: b, processes: 2 }));
    expect(read(b, 'submission_task_results.json')).toBe(read(a, 'submission_task_results.json'));
    const trained = (group: number) =>
      Object.keys(JSON.parse(read(a, `fine-tuning/group-${group}/n_minus_one.json`)));
    expect([trained(1), trained(2)]).toEqual([
      ['task0', 'task2', 'task4'],
      ['task1', 'task3', 'task5'],
    ]);
  });
});

describe('whatever happens, the submission is whole', () => {
  test.each(['throw', 'exit'])('a task that makes a process %s', async (fault) => {
    const { failures, predictions, submissionPath } = await faulty({ [fault]: 'task1' });
    validateSubmission(JSON.parse(readFileSync(submissionPath, 'utf8')), tasks);
    expect(predictions).toBe(15);
    const about = failures.filter(({ stage }) => stage === 'predict');
    expect(new Set(about.map(({ taskId }) => taskId))).toEqual(new Set(['task1']));
    expect(about[0]!.message).toMatch(fault === 'throw' ? 'injected exception' : 'SIGKILL');
  });

  test('a process that ends once is started again, and all predictions are made', async () => {
    const once = join(temporaryFolder(), 'once');
    const { failures, predictions } = await faulty({ exitOnce: once }, { processes: 2 });
    expect(predictions).toBe(21);
    expect(failures).toMatchObject([{ stage: 'process', count: 1 }]);
  });

  test('time that is left over is told, with what would use it', async () => {
    const notes: string[] = [];
    await submit({ ...options({ timeBudget: 600 }), onEvent: keepNotes(notes) });
    expect(notes).toEqual([
      expect.stringMatching(
        /^done in \d+s of 10m00s: a larger `predictionsPerTask` \(3 now\) would use the rest$/,
      ),
    ]);
    notes.length = 0;
    await submit({ ...options(), onEvent: keepNotes(notes) });
    expect(notes).toEqual([]);
  });

  test('where no prompt fits under any view it is one line, and no process is started', async () => {
    const outputDir = temporaryFolder();
    await expect(submit(options({ outputDir, maxSeqLen: 20 }), { workerFile: 'missing' })).rejects.toThrow(
      /^`maxSeqLen: 20`: none of the 21 prompts of \S+challenges\.json fits with its answer, not even [^\n]*$/,
    );
    valid(outputDir);
  });

  test('a step that blocks is ended at the deadline', async () => {
    const start = performance.now();
    const outputDir = temporaryFolder();
    const result = await faulty({ hang: 'task0' }, { outputDir, timeBudget: 5 });
    expect(performance.now() - start).toBeLessThan(5000);
    expect(result.deadline).toBe(true);
    expect(result.failures.length).toBeGreaterThan(0);
    valid(outputDir);
  });

  test('a step that blocks without a deadline is ended when it gives no sign of life', async () => {
    const { predictions, failures } = await faulty(
      { hang: 'task0' },
      { predictionsPerTask: 1, stallTimeout: 2 },
    );
    expect(predictions).toBe(6);
    expect(failures.some(({ message }) => message.includes('no sign of life'))).toBe(true);
  });

  test('an adapter that is broken makes way for the base model', async () => {
    const adapter = await trainedAdapter();
    const broken = join(temporaryFolder(), 'broken');
    cpSync(adapter, broken, { recursive: true });
    truncateSync(join(broken, 'adapter_model.safetensors'), 300);
    const { predictions, failures } = await submit(options({ adapterPath: broken }));
    expect(predictions).toBe(21);
    expect(failures).toMatchObject([{ stage: 'model', message: expect.stringContaining(broken) }]);
  });

  test('logits that are not numbers: the tasks that have them fail, the others do not', async () => {
    const modelPath = join(temporaryFolder(), 'nan');
    mkdirSync(modelPath);
    cpSync(join(kept, 'model'), modelPath, { recursive: true });
    // the digit 9 has an embedding that is no number, and two of three tasks do not have a 9
    poison(modelPath, loadTokenizer(modelPath).encode('9')[0]!);
    const task = (color: number) => ({
      train: [{ input: [[color]], output: [[1]] }],
      test: [{ input: [[2]] }],
    });
    const challengesPath = writeTasks(join(temporaryFolder(), 'c.json'), {
      a: task(3),
      b: task(9),
      c: task(4),
    });
    const result = await submit(options({ modelPath, challengesPath, colorAugmentation: false }));
    expect(result.failures).toMatchObject([
      {
        stage: 'predict',
        taskId: 'b',
        testIndex: 0,
        message: expect.stringContaining('not finite in float32'),
        count: 2,
      },
    ]);
    expect(result.predictions).toBe(6);
  });
});

async function trainedAdapter(): Promise<string> {
  const { checkpoint } = await fineTune({
    modelPath: join(kept, 'model'),
    trainDatasets: [[join(kept, 'solved.json'), 'output-from-examples-mini']],
    gridEncoder: 'MinimalGridEncoder()',
    outputDir: temporaryFolder(),
    maxSteps: 1,
    batchSize: 1,
    lora: { r: 2 },
  });
  return checkpoint;
}

/** The command in a process of its own. */
const start = (flags: readonly string[]) => launch(['submit', ...flags]);

const flags = (outputDir: string, ...more: string[]) => [
  ...['--challenges', challenges(), '--model_path', join(kept, 'model'), '--output_dir', outputDir],
  ...['--prompt_version', 'output-from-examples-mini', '--grid_encoder', 'MinimalGridEncoder()'],
  ...['--max_new_tokens', '12', '--predictions_per_task', '3'],
  ...more,
];

describe('arclab submit', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    '%s in the middle leaves a valid submission',
    async (signal) => {
      const outputDir = temporaryFolder();
      const run = start(flags(outputDir, '--predictions_per_task', '100000', '--time_budget', '10m'));
      await vi.waitFor(() => expect(run.output()).toContain('predictions '), { timeout: 50_000 });
      run.child.kill(signal);
      const { code, output } = await run.ended;
      valid(outputDir);
      expect(code).toBe(signal === 'SIGKILL' ? null : 1);
      if (signal === 'SIGKILL') return;
      expect(output).toContain('the submission was stopped before it was done');
      expect(read(outputDir, 'failures.json')).toContain('"stopped"');
    },
  );

  test('a deadline in the middle: exit code 0, every input has its share', async () => {
    const outputDir = temporaryFolder();
    const run = start(flags(outputDir, '--predictions_per_task', '100000', '--time_budget', '6s'));
    const { code, output } = await run.ended;
    expect(output).toContain('time was up');
    expect(code).toBe(0);
    valid(outputDir);
    const counts = new Map<string, number>();
    for (const { taskId, testIndex } of JSON.parse(read(outputDir, 'submission_task_results.json'))) {
      counts.set(`${taskId}/${testIndex}`, (counts.get(`${taskId}/${testIndex}`) ?? 0) + 1);
    }
    expect(counts.size).toBe(7);
    // a request in progress may be ahead by the batches in it
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThan(8);
  });

  test('--check says what is wrong and where', async () => {
    const outputDir = temporaryFolder();
    const path = join(outputDir, 'submission.json');
    const check = async () => {
      const { code, output } = await start(['--check', path, '--challenges', challenges()]).ended;
      return { code, output };
    };
    const entry = { attempt_1: [[1]], attempt_2: [[2]] };
    const submission = Object.fromEntries([...tasks].map(([id, { test }]) => [id, test.map(() => entry)]));
    writeTasks(path, submission);
    expect(await check()).toEqual({ code: 0, output: `${path}: valid, 6 tasks, 7 test inputs\n` });
    writeTasks(path, { ...submission, task3: [{ attempt_1: [[1, 10]], attempt_2: [[2]] }] });
    const wrong = await check();
    expect(wrong.code).toBe(1);
    expect(wrong.output).toContain('/task3/0/attempt_1/0/1');
    copyFileSync(challenges(), path);
    expect((await check()).code).toBe(1);
  });

  test.each([
    [['--time_budget', '11h30'], /--time_budget: expected a duration/],
    [['--time_budget', '1s'], /--time_budget 1s: expected at least 4s: loading the model/],
    [['--challenges', 'missing.json'], /missing.json: cannot read/],
    [['--model_path', 'missing/model'], /missing\/model/],
    [['--adapter_path', './missing/adapter'], /missing\/adapter/],
    [['--devices', 'tpu'], /--device: expected cpu, cuda or cuda:<n>, found "tpu"/],
    [['--devices', 'cuda:0', 'cuda:1'], /the backend wasm has no GPUs/],
    [['--fine_tune_share', '1'], /--fine_tune_share: expected a number between 0 and 1/],
    [['--backend', 'nothing'], /unknown backend "nothing"/],
    [['--prompt_version', 'input-from-inputs-mini'], /asks for input-from-inputs/],
    [['--predictions_per_task', '0'], /an integer from 1 to 100000/],
  ])('%j is one line and exit code 2, and nothing is written', async (wrong, message) => {
    const outputDir = join(temporaryFolder(), 'out');
    const { code, output } = await start(flags(outputDir, ...wrong)).ended;
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(output).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(outputDir)).toBe(false);
  });
});

describe('a folder has one submission at a time', () => {
  test('a second one is refused in one line', async () => {
    const outputDir = temporaryFolder();
    const run = start(flags(outputDir, '--predictions_per_task', '1000'));
    await vi.waitFor(() => expect(run.output()).toContain('predictions '), { timeout: 50_000 });
    const { code, output } = await start(flags(outputDir, '--resume')).ended;
    run.child.kill('SIGKILL');
    await run.ended;
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(output).toMatch(/is in use: process \d+ on .* give another --output_dir/);
    expect(code).toBe(2);
  });

  test.skipIf(process.platform !== 'linux')(
    'a process in a step that blocks ends with its parent',
    async () => {
      const outputDir = temporaryFolder();
      const program = `
      require(${JSON.stringify(buildFile('index.cjs'))}).submit(
        ${JSON.stringify(options({ outputDir }))}, { workerFile: ${JSON.stringify(workerFile)} });
    `;
      const mark = join(outputDir, 'blocks');
      const parent = spawn(process.execPath, ['-e', program], {
        env: { ...process.env, ARCLAB_TEST_FAULTS: JSON.stringify({ hang: 'task0', mark }) },
      });
      await vi.waitFor(() => expect(existsSync(mark)).toBe(true), { timeout: 50_000 });
      const [child] = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').split(' ');
      parent.kill('SIGKILL');
      await vi.waitFor(() => expect(existsSync(`/proc/${child}`)).toBe(false), { timeout: 50_000 });
    },
  );
});

describe('arclab submit --resume', () => {
  const names = ['submission.json', 'submission_task_results.json', 'failures.json'];
  const partial = (folder: string) => join(folder, 'submission.json.partial');
  const lines = (folder: string) =>
    existsSync(partial(folder)) ? readFileSync(partial(folder), 'utf8').split('\n').length - 1 : 0;
  const common = ['--predictions_per_task', '8', '--batch_size', '2'];
  const tuning = [
    ...['--fine_tune_steps', '12', '--fine_tune_groups', '2', '--fine_tune_batch_size', '1', '--lora_r', '2'],
    ...['--time_budget', '10m'],
  ];

  /** Runs it and ends it with a signal once so many lines are on disk. */
  async function interrupt(
    outputDir: string,
    more: readonly string[],
    signal: NodeJS.Signals,
    enough: () => boolean,
  ) {
    const run = start(flags(outputDir, ...common, ...more));
    await vi.waitFor(() => expect(enough()).toBe(true), { timeout: 120_000, interval: 5 });
    run.child.kill(signal);
    return (await run.ended).code;
  }

  const cases: (readonly [number, NodeJS.Signals, readonly string[]])[] = [
    [1, 'SIGTERM', []],
    [2, 'SIGKILL', tuning],
    [4, 'SIGKILL', []],
  ];
  test.each(cases)(
    '%d processes, ended twice by %s, and continued: the same bytes as without (%j)',
    async (processes, signal, more) => {
      const [whole, parts] = [temporaryFolder(), temporaryFolder()];
      expect((await start(flags(whole, ...common, ...more)).ended).code).toBe(0);
      const options = ['--processes', String(processes), ...more];
      const checkpoint = () => existsSync(join(parts, 'fine-tuning/group-2/checkpoint-4'));
      const isTuned = () => lines(parts) >= 12;
      const first = more.length > 0 ? checkpoint : isTuned;
      expect(await interrupt(parts, options, signal, first)).not.toBe(0);
      valid(parts);
      const before = lines(parts);
      const second = () => lines(parts) >= before + 12;
      expect(await interrupt(parts, [...options, '--resume'], signal, second)).not.toBe(0);
      const { code, output } = await start(flags(parts, ...common, ...options, '--resume')).ended;
      expect(output).toMatch(/continuing with \d+ of 56 answers after \d/);
      expect(code).toBe(0);
      for (const name of names) expect(read(parts, name)).toBe(read(whole, name));
      expect(existsSync(partial(parts))).toBe(false);
    },
    180_000,
  );

  test('what it cannot continue is one line and exit code 2, and what is there stays', async () => {
    const outputDir = temporaryFolder();
    await interrupt(outputDir, [], 'SIGKILL', () => lines(outputDir) >= 6);
    const before = [...names.slice(0, 1), 'submission.json.partial'].map((name) => read(outputDir, name));
    const again = async (...more: string[]) => {
      const { code, output } = await start(flags(outputDir, ...common, '--resume', ...more)).ended;
      expect(output.trim().split('\n')).toHaveLength(1);
      expect(code).toBe(2);
      return output;
    };
    expect(await again('--seed', '8', '--temperature', '0.5')).toMatch(
      /--resume: .* was made with another (--seed and --temperature|--temperature and --seed)\. Give/,
    );
    expect(await again('--challenges', join(kept, 'solved.json'))).toContain('another data set');
    expect([...names.slice(0, 1), 'submission.json.partial'].map((name) => read(outputDir, name))).toEqual(
      before,
    );
    // what only says how it is done may change
    const { code } = await start(flags(outputDir, ...common, '--resume', '--processes', '2')).ended;
    expect(code).toBe(0);
    expect(await again()).toContain('it is done');
  });

  test('the time that it has taken counts: where the budget is spent, what is there is written', async () => {
    const outputDir = temporaryFolder();
    await interrupt(outputDir, ['--time_budget', '100s'], 'SIGKILL', () => lines(outputDir) >= 12);
    const text = readFileSync(partial(outputDir), 'utf8');
    const last = { seconds: 99, type: 'time' };
    writeFileSync(partial(outputDir), `${text}${JSON.stringify(last)}\n`);
    const { code, output } = await start(flags(outputDir, ...common, '--time_budget', '100s', '--resume'))
      .ended;
    expect(output).toContain('after 1m39s');
    expect(output).toContain('time was up');
    expect(code).toBe(0);
    expect(JSON.parse(read(outputDir, 'submission_task_results.json')).length).toBeGreaterThanOrEqual(10);
    expect(existsSync(partial(outputDir))).toBe(true);
  });
});
