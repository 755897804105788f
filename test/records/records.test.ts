/** Every run leaves a record, is found again by it, compared with others, and seen in TensorBoard. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { readJson } from '../../src/common/files.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { inferEvaluate } from '../../src/experiments/infer-evaluate.js';
import { commitOf } from '../../src/records/commit.js';
import { type FoundRun, findRuns, historyOf } from '../../src/records/find.js';
import { checkRecord, type RunRecord, recordOfCheckpoint, runFileIn } from '../../src/records/record.js';
import { differingOptions, runValue, valuesOf } from '../../src/records/values.js';
import { experiments } from '../../src/studies/experiments.js';
import { checkLeaderboards, leaderboard } from '../../src/studies/leaderboard.js';
import { pythonWith } from '../prerequisites/index.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

/** Two trainings and an evaluation of each, for all tests of this file. */
let kept = '';
const ids: Record<string, string> = {};

const recordAt = (path: string): RunRecord => checkRecord(readJson(path), path);

const trainingOptions = (name: string, r: number) => ({
  modelPath: join(kept, 'model'),
  trainDatasets: [[join(kept, 'train.json'), 'output-from-examples-mini']] as const,
  valDataset: [[join(kept, 'val.json'), 'output-from-examples-mini']] as const,
  outputDir: join(kept, 'runs', name),
  gridEncoder: 'MinimalGridEncoder()',
  maxSteps: 4,
  evalSteps: 2,
  loggingSteps: 2,
  batchSize: 2,
  maxSeqLen: 512,
  learningRate: 0.01,
  lora: { r },
});

beforeAll(async () => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-records-'));
  writeTinyModel(join(kept, 'model'));
  writeTasks(join(kept, 'train.json'), recolourTasks(8));
  writeTasks(join(kept, 'val.json'), recolourTasks(3));
  for (const [name, r] of [
    ['small', 2],
    ['large', 8],
  ] as const) {
    const { checkpoint } = await fineTune(trainingOptions(name, r));
    await inferEvaluate({ checkpoint, predictionsPerTask: 2, maxNewTokens: 12 });
    ids[name] = recordAt(join(kept, 'runs', name, 'run.json')).id;
  }
  return () => rmSync(kept, { recursive: true });
}, 120_000);

/** What the command line prints. */
async function printed(...words: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  for (const stream of [process.stdout, process.stderr]) {
    const spy = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      text += chunk;
      return true;
    });
    onTestFinished(() => spy.mockRestore());
  }
  return { code: await main(words), text };
}

test('a training is recorded: options, data, call, losses and files', () => {
  const record = recordAt(join(kept, 'runs/small/run.json'));
  expect(record).toMatchObject({ flow: 'fine-tune', status: 'done', attempts: 1, ranks: 1 });
  expect(record.config).toMatchObject({ maxSteps: 4, lora: { r: 2, alpha: 64 }, weightDecay: 0 });
  expect(Object.keys(record.data)).toEqual([
    join(kept, 'train.json'),
    join(kept, 'val.json'),
    'the model of `modelPath`',
  ]);
  expect(record.command).toContain('npx arclab fine-tune');
  expect(record.command).toContain('--lora_r 2');
  const [run] = findRuns(join(kept, 'runs/small'));
  const history = historyOf(run!);
  expect(record.results).toMatchObject({
    steps: 4,
    trainLoss: history.train.at(-1)!.loss,
    valLoss: history.validation.at(-1)!.loss,
  });
  expect(record.files).toEqual({ metrics: 'metrics.jsonl', logs: 'logs', checkpoint: 'checkpoint-4' });
  // this repository
  expect(record.commit).toBe(commitOf(process.cwd()));
});

test('an evaluation knows the training of its checkpoint; one that is up to date stays the same run', async () => {
  const find = () => experiments({ folder: join(kept, 'runs/small'), where: 'flow = infer-evaluate' }).runs;
  const [before] = find();
  expect(before!.record.trainedBy).toBe(ids.small);
  expect(Object.keys(before!.record.results)).toEqual(
    expect.arrayContaining(['accuracy', 'pass_n', 'vote_1', 'vote_2']),
  );
  // named from the record, so that it is found from whatever folder the runs are compared
  expect(readJson(join(dirname(before!.path), before!.record.files.dataset!))).toBeTypeOf('object');
  // made at another commit, by another version
  const made = { commit: 'e'.repeat(40), arclab: '0.0.1' };
  writeFileSync(before!.path, JSON.stringify({ ...before!.record, ...made }));
  await inferEvaluate({
    checkpoint: join(kept, 'runs/small/checkpoint-4'),
    predictionsPerTask: 2,
    maxNewTokens: 12,
  });
  const after = find();
  expect(after).toHaveLength(1);
  expect(after[0]!.record).toMatchObject({ id: before!.record.id, attempts: 2, ...made });
});

test('a stopped run is said to be stopped, keeps its id when it is continued, and a fresh start is another run', async () => {
  const folder = temporaryFolder();
  const options = { ...trainingOptions('x', 2), outputDir: folder };
  const stopping = new AbortController();
  await fineTune({
    ...options,
    signal: stopping.signal,
    onEvent: (event) => event.type === 'step' && stopping.abort(),
  });
  const stopped = recordAt(join(folder, 'run.json'));
  expect(stopped).toMatchObject({ status: 'stopped', results: { steps: 1 } });
  await fineTune(options);
  const done = recordAt(join(folder, 'run.json'));
  expect(done).toMatchObject({ id: stopped.id, startedAt: stopped.startedAt, status: 'done', attempts: 2 });
  await fineTune({ ...options, resumeFromCheckpoint: false });
  const fresh = recordAt(join(folder, 'run.json'));
  expect(fresh.id).not.toBe(done.id);
  expect(recordAt(join(folder, 'previous-1/run.json')).id).toBe(done.id);
});

test('a run.json of another flow or program stays, and the training has a record beside it', async () => {
  const folder = temporaryFolder();
  const [usual, own] = [join(folder, 'run.json'), join(folder, 'fine-tune_run.json')];
  writeFileSync(usual, '{"scripts": {}}');
  expect(runFileIn(folder, 'submit')).toBe(join(folder, 'submit_run.json'));
  const submission = { ...recordAt(join(kept, 'runs/small/run.json')), flow: 'submit' };
  writeFileSync(usual, JSON.stringify(submission));
  const options = { ...trainingOptions('x', 2), outputDir: folder };
  const { checkpoint } = await fineTune(options);
  expect(recordAt(usual)).toEqual(submission);
  expect(recordAt(own)).toMatchObject({ flow: 'fine-tune', status: 'done' });
  expect(recordOfCheckpoint(checkpoint)).toBe(own);
  expect(experiments({ folder, where: 'flow = fine-tune' }).rows[0]!.run).toBe('.');
  await fineTune({ ...options, resumeFromCheckpoint: false });
  expect(readdirSync(join(folder, 'previous-1')).filter((name) => name.endsWith('run.json'))).toEqual([
    'fine-tune_run.json',
  ]);
  expect(recordAt(usual)).toEqual(submission);
});

test('a run that fails says why, and one whose process is gone was killed', async () => {
  const folder = temporaryFolder();
  cpSync(join(kept, 'runs/small/run.json'), join(folder, 'run.json'));
  const record = recordAt(join(folder, 'run.json'));
  const running = { ...record, status: 'running', process: { ...record.process, pid: 2 ** 22 + 1 } };
  writeFileSync(join(folder, 'run.json'), JSON.stringify(running));
  expect(findRuns(folder)[0]!.status).toBe('killed');
  const failing = { ...trainingOptions('x', 2), outputDir: join(folder, 'failed') };
  const onEvent = (event: { type: string }) => {
    if (event.type === 'step') throw new Error('the listener failed');
  };
  await expect(fineTune({ ...failing, onEvent })).rejects.toThrow('the listener failed');
  const failed = recordAt(join(folder, 'failed/run.json'));
  expect(failed).toMatchObject({ status: 'failed', error: 'the listener failed' });
});

test('an evaluation that fails leaves what was found before', async () => {
  const folder = temporaryFolder();
  cpSync(join(kept, 'runs/small'), folder, { recursive: true });
  const checkpoint = join(folder, 'checkpoint-4');
  const own = { checkpoint, predictionsPerTask: 2, maxNewTokens: 12 };
  const outputPath = join(folder, 'evaluated.json');
  await inferEvaluate({ ...own, outputPath });
  const path = join(folder, 'evaluated_run.json');
  const before = recordAt(path);
  expect(before).toMatchObject({ status: 'done', ranks: 1 });
  const failing = () => {
    throw new Error('the listener failed');
  };
  // the same run again, of which everything is there: it fails, and says what it had found
  await expect(inferEvaluate({ ...own, outputPath, onEvent: failing })).rejects.toThrow(
    'the listener failed',
  );
  const { results, files } = before;
  const failed = { status: 'failed', error: 'the listener failed', id: before.id, results, files };
  expect(recordAt(path)).toMatchObject(failed);
  await inferEvaluate({ ...own, outputPath });
  expect(recordAt(path)).toMatchObject({ status: 'done', id: before.id, attempts: 3, results, files });
  // another run into the same file, which fails before it has predicted: the record is of the predictions that are there
  const done = readFileSync(path, 'utf8');
  const other = { ...own, outputPath, temperature: 0.5, onEvent: failing };
  await expect(inferEvaluate(other)).rejects.toThrow('the listener failed');
  expect(readFileSync(path, 'utf8')).toBe(done);
});

test('a copied folder: its runs are told, named by their folder, and keep their training', () => {
  const folder = temporaryFolder();
  for (const name of ['small', 'copy/of/small']) {
    cpSync(join(kept, 'runs/small'), join(folder, name), { recursive: true });
  }
  const path = join(folder, 'copy/of/small/run.json');
  const record = recordAt(path);
  writeFileSync(path, JSON.stringify({ ...record, config: { ...record.config, learningRate: 7 } }));
  const notes: string[] = [];
  const onNote = (text: string) => notes.push(text);
  const { runs } = experiments({ folder, onNote, where: 'learningRate = 7' });
  expect(notes).toContainEqual(
    `run ${ids.small} is in 2 folders, as copies are: ${join('copy/of/small')}, small`,
  );
  // of the evaluations, the one whose own training has that rate
  expect(runs.map((run) => [run.record.flow, run.path.startsWith(join(folder, 'copy'))])).toEqual([
    ['fine-tune', true],
    ['infer-evaluate', true],
  ]);
  expect(() => experiments({ folder, compare: [ids.small!, ids.small!] })).toThrow(
    `\`compare\`: 2 folders have the run ${ids.small}, as copies have (copy/of/small, small); name the one that is meant by its folder`,
  );
  const { comparison } = experiments({ folder, compare: ['small', join('copy/of/small')] });
  const rates = { small: 0.01, [join('copy/of/small')]: 7 };
  expect(comparison!.options).toEqual([{ option: 'learningRate', ...rates }]);
  expect(comparison!.pairs[0]!.metrics).toHaveLength(4);
});

test('listed, filtered by any name of an option, sorted', () => {
  const all = experiments({ folder: join(kept, 'runs') });
  expect(all.rows).toHaveLength(4);
  expect(all.columns).toEqual(expect.arrayContaining(['lora.r', 'vote_2', 'valLoss']));
  expect(all.columns).not.toContain('outputDir');
  for (const where of ['loraR>=8', 'lora_r >= 8', 'lora.r = 8']) {
    const { runs } = experiments({ folder: join(kept, 'runs'), where });
    // an evaluation is found by the options of the training, too
    expect(runs.map(({ record }) => record.flow)).toEqual(['fine-tune', 'infer-evaluate']);
    expect(runs[0]!.record.id).toBe(ids.large);
  }
  const sorted = experiments({
    folder: join(kept, 'runs'),
    sort: 'lora.r',
    descending: true,
    columns: ['loraR'],
  });
  expect(sorted.rows.map((row) => row.loraR)).toEqual([8, 8, 2, 2]);
});

test.each([
  [{ where: 'lorra.r > 3' }, /`where`: no run has an option or a result "lorra.r"; did you mean lora.r\?/],
  [{ columns: ['id', 'valLos'] }, /`columns`: no run has .* did you mean valLoss\?/],
  [{ sort: 'valLos' }, /`sort`: no run has .* did you mean valLoss\?/],
  [{ compare: ['zzz', 'yyy'] }, /`compare`: no run has an id that begins with "zzz"/],
  [{ folder: '/nowhere' }, /\/nowhere: expected a folder with runs, found nothing/],
])('%j is refused', (options, message) => {
  expect(() => experiments({ folder: join(kept, 'runs'), ...options })).toThrow(message);
});

test("a run that an earlier version recorded has today's names of options, and the defaults of later ones", () => {
  const folder = temporaryFolder();
  cpSync(join(kept, 'runs', 'small'), join(folder, 'today'), { recursive: true });
  cpSync(join(kept, 'runs', 'small'), join(folder, 'earlier'), { recursive: true });
  for (const path of findRuns(join(folder, 'earlier')).map((run) => run.path)) {
    const record = recordAt(path);
    const { maxNewTokens, outputPath, minP, ...config } = record.config;
    const earlier =
      record.flow === 'infer-evaluate'
        ? { maxOutputTokens: maxNewTokens, outputFilepath: outputPath }
        : { outputPath };
    writeFileSync(path, JSON.stringify({ ...record, config: { ...config, ...earlier } }));
  }
  const runs = valuesOf(findRuns(folder), folder).filter(({ run }) => run.record.flow === 'infer-evaluate');
  expect(runs.map((run) => runValue(run, 'maxNewTokens'))).toEqual([12, 12]);
  expect(runs.map((run) => runValue(run, 'minP'))).toEqual([0, 0]);
  expect(differingOptions(runs)).toEqual([]);
});

test('a file that is named as a record and is none is left out with a line', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other/run.json'), '{"scripts": {}}');
  const notes: string[] = [];
  expect(experiments({ folder, onNote: (text) => notes.push(text) }).runs).toEqual([]);
  expect(notes.join()).toMatch(/left out: .*run.json: not the record of a run/);
});

test('compared: what differs, results, and paired intervals of the evaluations', () => {
  const { comparison } = experiments({ folder: join(kept, 'runs'), compare: [ids.small!, ids.large!] });
  expect(comparison!.options).toEqual([{ option: 'lora.r', [ids.small!]: 2, [ids.large!]: 8 }]);
  expect(comparison!.results.map(({ result }) => result)).toEqual(
    expect.arrayContaining(['valLoss', 'accuracy', 'vote_2']),
  );
  const [pair] = comparison!.pairs;
  expect(pair!.metrics.map(({ metric }) => metric)).toEqual(['accuracy', 'pass_n', 'vote_1', 'vote_2']);
  for (const { difference } of pair!.metrics) expect(difference.low).toBeLessThanOrEqual(difference.high);
});

/** A folder with the record of an evaluation, changed, once for each change. */
function folderOf(...changes: Partial<RunRecord>[]): string {
  const folder = temporaryFolder();
  const [{ path }] = experiments({ folder: join(kept, 'runs/small'), where: 'flow = infer-evaluate' })
    .runs as [FoundRun];
  for (const [i, change] of changes.entries()) {
    cpSync(dirname(path), join(folder, String(i)), { recursive: true });
    const copy = join(folder, String(i), basename(path));
    writeFileSync(copy, JSON.stringify({ ...recordAt(copy), ...change }));
  }
  return folder;
}

test('runs on a data set that was changed between them are not compared', () => {
  const [one, other] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'];
  const data = (dataset: string) => ({ data: { dataset } });
  const folder = folderOf({ id: one, ...data('x') }, { id: other, ...data('y') });
  const [pair] = experiments({ folder, compare: [one, other] }).comparison!.pairs;
  expect(pair).toMatchObject({ metrics: [], reason: 'they were measured on different tasks' });
});

test('an id of digits alone is found, and values of two types are sorted each among themselves', () => {
  const ids = ['123456789012', '12e456789012', 'aaaaaaaaaaaa', 'bbbbbbbbbbbb'];
  const n = [10, 'b', 9, 'a'];
  const folder = folderOf(...ids.map((id, i) => ({ id, config: { x: n[i] } })));
  for (const id of ids) {
    expect(experiments({ folder, where: `id = ${id}` }).runs.map(({ record }) => record.id)).toEqual([id]);
    expect(experiments({ folder, where: `id != ${id}` }).runs).toHaveLength(3);
  }
  expect(experiments({ folder, sort: 'x', columns: ['x'] }).rows.map(({ x }) => x)).toEqual([
    9,
    10,
    'a',
    'b',
  ]);
});

describe('arclab experiments', () => {
  test('prints a table, JSON, and writes a page with plots', async () => {
    const folder = join(kept, 'runs');
    const { code, text } = await printed(
      'experiments',
      folder,
      '--where',
      'status=done',
      '--sort',
      'valLoss',
    );
    expect(code).toBe(0);
    expect(text).toContain(ids.small!);
    expect(text).toMatch(/^id +run +flow +status +lora\.r/);
    const page = join(temporaryFolder(), 'page.html');
    const compare = ['--compare', ids.small!.slice(0, 8), ids.large!.slice(0, 8)];
    expect((await printed('experiments', folder, ...compare, '--html_path', page)).code).toBe(0);
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('<svg');
    expect(html).toContain('Points of difference');
    expect(html).toContain('npx arclab fine-tune');
  });

  test('--json gives the records', async () => {
    const { text } = await printed('experiments', join(kept, 'runs'), '--json', '--where', 'lora.r=2');
    expect(JSON.parse(text).map(({ flow }: RunRecord) => flow)).toEqual(['fine-tune', 'infer-evaluate']);
  });
});

describe('a leaderboard', () => {
  const check = (markdown: string) => checkLeaderboards(markdown, kept);
  const board = () => leaderboard({ folder: join(kept, 'runs'), metric: 'correct_pixels' });

  test('ranks runs that were measured, and a write-up with it is verified', async () => {
    const { rows, markdown } = board();
    expect(rows).toHaveLength(2);
    const values = rows.map(({ metric }) => Number.parseFloat(metric));
    expect(values[0]).toBeGreaterThanOrEqual(values[1]!);
    for (const row of rows) {
      const [of] = experiments({ folder: join(kept, 'runs'), where: `id = "${row.id}"` }).runs;
      const [, value, low, high] = /^(\S+) \[(\S+), (\S+)\]$/.exec(row.metric)!.map(Number);
      expect(value).toBeCloseTo(100 * of!.record.results.correct_pixels!, 1);
      expect(low).toBeLessThanOrEqual(value!);
      expect(high).toBeGreaterThanOrEqual(value!);
      expect(row.command).toMatch(/^npx arclab fine-tune .* && npx arclab infer-evaluate /);
    }
    const document = join(temporaryFolder(), '01-x.md');
    writeFileSync(document, `# Iteration\n\n${markdown}\n\nText after it.\n`);
    const good = await printed('writeup', 'check', document);
    expect(good).toMatchObject({ code: 0, text: expect.stringContaining('2 rows checked, 0 differences') });
  });

  test.each([
    ['another metric', /\| (\d)([\d.]+) \[/, '| 9$2 [', 1],
    ['another interval', /, ([\d.]+)\] \|/, ', 99.9] |', 1],
    ['another run', /\| [0-9a-f]{12} \|/, '| 000000000000 |', 1],
    ['another command', /--lora_r/, '--lora_q', 1],
    ['another commit', /(\d\]) \| [^|]* \|/, '$1 | 0123456789 |', 1],
  ])('%s is found', (_, pattern, other, count) => {
    const markdown = board().markdown.replace(pattern, other);
    expect(markdown).not.toBe(board().markdown);
    expect(check(markdown).faults).toHaveLength(count);
  });

  test('a better row below another one is found', () => {
    const { markdown, rows } = board();
    const lines = markdown.split('\n');
    const swapped = [...lines.slice(0, 3), lines[4], lines[3]].join('\n');
    const isTie = rows[0]!.metric.split(' ')[0] === rows[1]!.metric.split(' ')[0];
    expect(check(swapped).faults).toHaveLength(isTie ? 0 : 1);
  });

  test('a mark that does not say what it was made from is refused in one line', () => {
    const markdown = board().markdown.replace('"metric"', '"metrik"');
    expect(() => check(markdown)).toThrow(
      /the mark of a leaderboard cannot be read: expected a folder and a metric/,
    );
  });

  test('a broken record is left out with a line', () => {
    const folder = join(temporaryFolder(), 'runs');
    cpSync(join(kept, 'runs'), folder, { recursive: true });
    mkdirSync(join(folder, 'broken'));
    writeFileSync(join(folder, 'broken', 'run.json'), '{"arclab": ');
    const notes: string[] = [];
    const { rows } = leaderboard({ folder, metric: 'correct_pixels', onNote: (text) => notes.push(text) });
    expect(rows).toHaveLength(2);
    expect(notes).toEqual([expect.stringContaining(join('broken', 'run.json'))]);
  });

  test('Markdown without one is refused in one line', async () => {
    const document = join(temporaryFolder(), '01-x.md');
    writeFileSync(document, '# Nothing\n');
    const { code, text } = await printed('writeup', 'check', document);
    expect(code).toBe(2);
    expect(text).toMatch(/has no leaderboard \(arclab leaderboard\)/);
  });
});

test("TensorBoard's HParams page shows the runs with their options and metrics", () => {
  const python = pythonWith('tensorboard');
  if (python === undefined) return;
  const script = join(import.meta.dirname, 'hparams.py');
  const output = execFileSync(python, ['-W', 'ignore', script, join(kept, 'runs'), '2'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { experiment, groups } = JSON.parse(output.trim().split('\n').at(-1)!);
  expect(experiment.hparamInfos.map(({ name }: { name: string }) => name)).toContain('lora.r');
  const shown = groups.map(
    (group: {
      hparams: Record<string, unknown>;
      sessions: { status: string; metricValues: object[] }[];
    }) => ({
      r: group.hparams['lora.r'],
      kinds: [typeof group.hparams.useLora, typeof group.hparams.optim],
      status: group.sessions[0]!.status,
      metrics: JSON.stringify(group.sessions[0]!.metricValues),
    }),
  );
  expect(shown.map(({ r }: { r: number }) => r).sort()).toEqual([2, 8]);
  for (const { kinds, status, metrics } of shown) {
    expect(kinds).toEqual(['boolean', 'string']);
    expect(status).toBe('STATUS_SUCCESS');
    expect(metrics).toContain('val/loss');
    expect(metrics).toContain('eval/vote_2');
  }
  expect(existsSync(join(kept, 'runs/small/logs'))).toBe(true);
}, 120_000);
