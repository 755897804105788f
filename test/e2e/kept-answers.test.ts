import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import {
  expectRefusal,
  flows,
  groupsKept,
  killUntilDone,
  makeMaterial,
  referenceOf,
  resultsOf,
  startFlow,
  stopAfter,
} from './kept-answers.js';
import { launch } from './launch.js';

// more kills, signals and flows are in kept-answers.slow.test.ts
let folder = '';
let reference: Awaited<ReturnType<typeof referenceOf>>;
beforeAll(async () => {
  folder = makeMaterial();
  reference = await referenceOf('infer', folder);
  return () => rmSync(folder, { recursive: true });
});

test('infer that is killed at random moments continues and ends with the same bytes', async () => {
  await killUntilDone('infer', folder, reference, { kills: 2, seed: Date.now() });
});

test('search that is killed in the middle continues and ends with the same bytes', async () => {
  const whole = await referenceOf('search', folder);
  const out = join(folder, 'search-killed');
  for (const groups of [3, 7]) {
    const { signal } = await stopAfter(groups, 'SIGKILL', 'search', folder, out);
    expect(signal).toBe('SIGKILL');
    expect(groupsKept(out)).toBeGreaterThanOrEqual(groups);
  }
  const { code, stderr } = await startFlow('search', folder, out).ended;
  expect(code).toBe(0);
  expect(stderr).toMatch(/^continuing: \d+ of 128 prompts are there already$/m);
  expect(resultsOf(out)).toEqual(whole.results);
  expect(whole.results['result_task_results.json']).toContain('"taskId":"task15"');
});

test.each(Object.keys(flows))(
  '%s keeps its answers when SIGTERM stops it, says how to continue, and exits with 143',
  async (flow) => {
    const out = join(folder, `${flow}-stopped`);
    const { code, stderr, stdout } = await stopAfter(2, 'SIGTERM', flow, folder, out);
    expect({ code, stdout }).toEqual({ code: 143, stdout: '' });
    expect(stderr).toMatch(
      /\nstopped: \d+ of \d+ (answers|prompts) are kept, and the same command continues\n$/,
    );
    expect(groupsKept(out)).toBeGreaterThanOrEqual(2);
    const again = await startFlow(flow, folder, out).ended;
    expect(again.stderr).toMatch(/^continuing: \d+ of \d+ /m);
    expect(again.code).toBe(0);
    expect(Object.keys(resultsOf(out))).not.toContain('result.json.partial');
    if (flow === 'infer') expect(resultsOf(out)).toEqual(reference.results);
  },
);

test('start, too: what it has predicted is kept', async () => {
  const out = join(folder, 'start');
  const { child, ended } = launch(['start', '--output_dir', out]);
  const partial = join(out, 'inference_before.json.partial');
  while (!existsSync(partial) || readFileSync(partial, 'utf8').split('\n').length < 3) await sleep(20);
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  expect(code).toBe(143);
  expect(stderr).toMatch(/\nstopped: \d+ of 512 answers are kept, and the same command continues\n$/);
  const files = ['inference_before.json.partial', 'run.json', 'train.json', 'val.json'];
  expect(readdirSync(out).sort()).toEqual(files);
});

test('a second infer into the same file is refused in one line', async () => {
  await expectRefusal('infer', folder);
});

test('with other options or data infer starts from nothing and says why', async () => {
  const out = join(folder, 'changed');
  mkdirSync(out);
  const partial = join(out, 'result.json.partial');
  await stopAfter(1, 'SIGKILL', 'infer', folder, out);
  const kept = readFileSync(partial);
  const other = await startFlow('infer', folder, out, ['--seed', '8']).ended;
  expect(other.code).toBe(0);
  expect(other.stderr).toContain(`${partial} was made with another --seed: starting from nothing`);
  expect(other.stderr).not.toContain('continuing');

  writeFileSync(partial, kept);
  const tasks = JSON.parse(readFileSync(join(folder, 'tasks.json'), 'utf8'));
  tasks.task3.test[0].output = [[1]];
  const changed = join(folder, 'changed.json');
  writeFileSync(changed, JSON.stringify(tasks));
  const data = await startFlow('infer', folder, out, ['--dataset_path', changed]).ended;
  expect(data.stderr).toContain(`${partial} was made with another data set: starting from nothing`);
});
