/** A sweep in this process: every run to its end once, however often it is stopped. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { experiments } from '../../src/studies/experiments.js';
import { readLog, stateOf } from '../../src/sweeps/part-files.js';
import { type SweepOptions, sweep, sweepStatus } from '../../src/sweeps/sweep.js';
import { launch } from '../e2e/launch.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

let kept = '';

beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-sweep-'));
  writeTinyModel(join(kept, 'model'));
  writeTasks(join(kept, 'train.json'), recolourTasks(6));
  writeTasks(join(kept, 'val.json'), recolourTasks(2));
  return () => rmSync(kept, { recursive: true });
});

const description = (outputDir: string, more: object = {}) =>
  ({
    outputDir: join(kept, outputDir),
    fineTune: {
      modelPath: join(kept, 'model'),
      trainDatasets: [[join(kept, 'train.json'), 'output-from-examples-mini']],
      valDataset: [[join(kept, 'val.json'), 'output-from-examples-mini']],
      gridEncoder: 'MinimalGridEncoder()',
      maxSteps: 4,
      evalSteps: 1,
      saveSteps: 1,
      batchSize: 1,
      maxSeqLen: 512,
      workers: 0,
      lora: { r: 2 },
    },
    ...more,
  }) as NonNullable<SweepOptions['description']>;

test('trains, evaluates, and runs nothing twice; a grown description runs what is new', async () => {
  const more = { inferEvaluate: { predictionsPerTask: 1, maxNewTokens: 8 } };
  const of = (loraR: number[]) => description('grid', { ...more, parameters: { loraR } });
  const started: string[] = [];
  const run = (loraR: number[]) =>
    sweep({ description: of(loraR), onEvent: (event) => event.type === 'part' && started.push(event.id) });
  const { runs } = await run([2, 4]);
  expect(runs.map(({ status, run: { parameters } }) => [status, parameters])).toEqual([
    ['done', { loraR: 2 }],
    ['done', { loraR: 4 }],
  ]);
  for (const { results } of runs) {
    expect(results).toMatchObject({ steps: 4, accuracy: expect.any(Number), vote_2: expect.any(Number) });
  }
  expect(started).toHaveLength(4);
  await run([2, 4, 6]);
  expect(started).toHaveLength(6);
  // the runs are found as any others
  const found = experiments({ folder: join(kept, 'grid'), where: 'loraR>=4 and flow=fine-tune' });
  expect(found.runs.map(({ record }) => record.config.lora)).toMatchObject([{ r: 4 }, { r: 6 }]);
  expect(sweepStatus({ file: join(kept, 'grid') }).runs).toHaveLength(3);
}, 60_000);

test('halving: the runs with the higher validation loss stop early, the others have the losses of a whole run', async () => {
  const parameters = { learningRate: [0, 1e-2, 1e-3, 1e-4] };
  const halved = await sweep({ description: description('halved', { parameters, halving: { rungs: 2 } }) });
  const whole = await sweep({ description: description('whole', { parameters }) });
  const lossesAt = (result: typeof halved, i: number) =>
    readFileSync(join(result.plan.outputDir, 'runs', result.runs[i]!.run.id, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ type, step, loss }) => ({ type, step, loss }));
  const status = halved.runs.map((run) => run.status);
  expect(status.filter((one) => one === 'done')).toHaveLength(2);
  expect(status.filter((one) => one === 'dropped')).toHaveLength(2);
  const atTwo = (i: number) =>
    lossesAt(whole, i).find(({ type, step }) => type === 'validation' && step === 2)!.loss;
  const order = [0, 1, 2, 3].sort((a, b) => atTwo(a) - atTwo(b));
  expect([0, 1, 2, 3].filter((i) => status[i] === 'done').sort()).toEqual(order.slice(0, 2).sort());
  for (const i of [0, 1, 2, 3]) {
    // a run that was stopped and went on is the run that was not
    const [a, b] = [lossesAt(halved, i), lossesAt(whole, i)].map((all) =>
      all.filter(({ type }) => type === 'validation'),
    );
    expect(a).toEqual(status[i] === 'done' ? b : b!.slice(0, 2));
  }
}, 120_000);

test('a variant goes on from the checkpoint of another one', async () => {
  const variants = [{ name: 'first' }, { name: 'second', after: 'first', fineTune: { seed: 8 } }];
  const { runs, plan } = await sweep({ description: description('variants', { variants }) });
  expect(runs.map(({ status }) => status)).toEqual(['done', 'done']);
  const record = JSON.parse(readFileSync(join(plan.outputDir, 'runs', runs[1]!.run.id, 'run.json'), 'utf8'));
  expect(record.config.adapterPath).toBe(join(plan.outputDir, 'runs', runs[0]!.run.id, 'checkpoint-4'));
}, 60_000);

test('a signal stops a sweep with a checkpoint, and the same call goes on', async () => {
  const stopping = new AbortController();
  const options = { description: description('stopped', { parameters: { loraR: [2, 4] } }) };
  const stopped = sweep({
    ...options,
    signal: stopping.signal,
    onEvent: (event) => event.type === 'step' && event.report.step === 2 && stopping.abort(),
  });
  await expect(stopped).rejects.toThrow(/stopped; the same command goes on/);
  const status = sweepStatus({ file: options.description.outputDir }).runs;
  expect(status.map((run) => run.status)).toEqual(['stopped', 'waiting']);
  const notes: string[] = [];
  const { runs } = await sweep({
    ...options,
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(runs.map((run) => run.status)).toEqual(['done', 'done']);
  expect(notes.join()).toMatch(/continuing .*checkpoint-2 at step 2/);
}, 60_000);

test('a run that fails does not end the others, and is tried again by the next call', async () => {
  // the second one asks for a module that the model does not have, which is found when it is loaded
  const parameters = { 'lora.targetModules': [['q_proj'], ['no_such_module']] };
  const started: string[] = [];
  const run = () =>
    sweep({
      description: description('failing', { parameters }),
      onEvent: (event) => event.type === 'part' && started.push(event.id),
    });
  const { runs } = await run();
  expect(runs.map(({ status }) => status)).toEqual(['done', 'failed']);
  expect(runs[1]!.error).toMatch(/no_such_module/);
  await run();
  expect(started).toHaveLength(3);
}, 60_000);

test('a sweep that was killed goes on from its checkpoints: arclab sweep and its status', async () => {
  const file = join(kept, 'killed.json');
  const { fineTune } = description('');
  // long enough to be killed in the middle
  const slow = { ...fineTune, maxSteps: 60, batchSize: 4, loggingSteps: 1 };
  writeFileSync(file, JSON.stringify({ outputDir: 'killed', fineTune: slow, parameters: { loraR: [2, 4] } }));
  const first = launch(['sweep', file]);
  const metrics = () => {
    try {
      const { runs, plan } = sweepStatus({ file });
      return readFileSync(join(plan.outputDir, 'runs', runs[0]!.run.id, 'metrics.jsonl'), 'utf8').split('\n')
        .length;
    } catch {
      return 0;
    }
  };
  while (metrics() < 8) await sleep(20);
  first.child.kill('SIGKILL');
  await first.ended;
  expect(sweepStatus({ file }).runs.map(({ status }) => status)).toEqual(['killed', 'waiting']);
  const { code, stdout, stderr } = await launch(['sweep', file]).ended;
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/continuing .*checkpoint-\d+ at step \d+/);
  expect(stdout).toMatch(/2 done$/m);
  const { plan } = sweepStatus({ file });
  const [part] = plan.parts;
  expect(stateOf(plan.outputDir, part!.id)).toMatchObject({ status: 'done', attempts: 2 });
  expect(readLog(plan.outputDir, part!.id)).toMatch(/attempt 2[\s\S]*done: steps 60/);
  const status = await launch(['sweep', 'status', file]).ended;
  expect(status.stdout).toMatch(/^run +loraR +status/);
  const log = await launch(['sweep', 'status', file, '--log', part!.id]).ended;
  expect(log.stdout).toContain('attempt 1');
}, 120_000);

test.each([
  [{ paramters: {} }, /error: .*sweep.json: there is no "paramters" in a sweep; did you mean parameters\?/],
  [{ parameters: { learningRte: [1] } }, /there is no option "learningRte"; did you mean "learningRate"\?/],
])('%j is one line and exit code 2, and nothing is written', async (more, message) => {
  const file = join(kept, 'sweep.json');
  writeFileSync(file, JSON.stringify(description('wrong', more)));
  const { code, stderr } = await launch(['sweep', file]).ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
