/** Flows that keep their answers as they come, as processes that a test may stop. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';
import { type Ended, launch } from './launch.js';

/** A small model, a checkpoint of the same, data and predictions. @returns its folder */
export function makeMaterial(): string {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-kept-'));
  writeTinyModel(join(folder, 'model'));
  writeTasks(join(folder, 'tasks.json'), recolourTasks(16));
  cpSync(join(folder, 'model'), join(folder, 'checkpoint'), { recursive: true });
  const cfg = {
    modelPath: join(folder, 'model'),
    gridEncoder: 'MinimalGridEncoder()',
    valDataset: [[join(folder, 'tasks.json'), 'output-from-examples-mini']],
  };
  writeFileSync(join(folder, 'checkpoint', 'cfg.json'), JSON.stringify(cfg));
  return folder;
}

const output = 'output-from-examples-mini';
const input = 'input-from-inputs-mini';
const decoding = '--batch_size 2 --max_new_tokens 40 --temperature 0.9';

/** The words of each flow; `OUT` is the folder of its results. */
export const flows: Readonly<Record<string, string>> = {
  infer: `infer --prompt_version ${output} --predictions_per_task 6 --output_path OUT/result.json ${decoding}`,
  'generate-inputs': `generate-inputs --prompt_version ${input} --n 6 --output_path OUT/result.json --html_path OUT/page.html ${decoding}`,
  score: `score --prompt_version ${output} ${input} --augmentations 48 --max_tokens_per_batch 256 --output_path OUT/result.json`,
  // a test input a group; most of what is likely enough is no grid
  search: `search --prompt_version ${output} --views 8 --threshold 0.02 --output_path OUT/result.json --batch_size 1 --max_new_tokens 40`,
  'infer-evaluate': `infer-evaluate FOLDER/checkpoint --predictions_per_task 6 --output_path OUT/result.json ${decoding}`,
};

/** The words of a flow whose results go to a folder. */
function wordsOf(flow: string, folder: string, out: string): string[] {
  const model =
    '--model_path FOLDER/model --dataset_path FOLDER/tasks.json --grid_encoder MinimalGridEncoder()';
  const text = flow === 'infer-evaluate' ? flows[flow]! : `${flows[flow]} ${model}`;
  return text.split(' ').map((word) => word.replace('OUT', out).replace('FOLDER', folder));
}

/** Runs a flow in a process of its own. */
export const startFlow = (
  flow: string,
  folder: string,
  out: string,
  more: readonly string[] = [],
  options: { shell?: string } = {},
) => launch([...wordsOf(flow, folder, out), ...more], options);

/** Runs a flow and sends it a signal when it has kept so many groups of answers. */
export async function stopAfter(
  groups: number,
  signal: NodeJS.Signals,
  flow: string,
  folder: string,
  out: string,
): Promise<Ended> {
  const { child, ended } = startFlow(flow, folder, out);
  const timer = setInterval(() => {
    if (groupsKept(out) < groups) return;
    clearInterval(timer);
    child.kill(signal);
  }, 5);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
  }
}

/** What a flow left, by the names of its files; of a run's record, what does not differ from run to run. */
export function resultsOf(out: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(out)
      .sort()
      .map((name) => [name, lastingPart(name, readFileSync(join(out, name), 'utf8').replaceAll(out, 'OUT'))]),
  );
}

function lastingPart(name: string, text: string): string {
  if (!name.endsWith('run.json')) return text;
  const { id, startedAt, endedAt, seconds, attempts, process, ...lasting } = JSON.parse(text);
  expect({ id, startedAt, endedAt, seconds, attempts, process }).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{12}$/),
    startedAt: expect.any(String),
    endedAt: expect.any(String),
    seconds: expect.any(Number),
    attempts: expect.any(Number),
    process: expect.any(Object),
  });
  return JSON.stringify(lasting);
}

/** How many groups of answers a run has kept. */
export function groupsKept(out: string): number {
  const path = join(out, 'result.json.partial');
  return existsSync(path) ? Math.max(0, readFileSync(path, 'utf8').split('\n').length - 2) : 0;
}

/**
 * Runs a flow, kills it at a random moment, and again, until it ends by itself; checks that nothing that was kept is
 * lost on the way and that it ends with the bytes of `reference`. A moment is a time, or a few groups of answers more
 * than before, whichever comes first: a time alone misses a run that is faster than the reference was.
 * @returns how often it was killed, and how often it continued
 */
export async function killUntilDone(
  flow: string,
  folder: string,
  reference: { results: Record<string, string>; seconds: number },
  { kills, seed }: { kills: number; seed: number },
): Promise<{ killed: number; continued: number }> {
  const out = mkdtempSync(join(folder, 'killed-'));
  const rng = Rng.of(seed, flow);
  let killed = 0;
  let continued = 0;
  for (;;) {
    const before = groupsKept(out);
    const { child, ended } = startFlow(flow, folder, out);
    const began = performance.now();
    const seconds = reference.seconds * (0.2 + 0.7 * rng.uniform());
    const groups = before + rng.int(1, 3);
    const timer = setInterval(() => {
      const due = performance.now() - began > 1000 * seconds || groupsKept(out) >= groups;
      if (killed < kills && due) child.kill('SIGKILL');
    }, 5);
    const { code, stderr } = await ended;
    clearInterval(timer);
    if (stderr.includes('continuing')) continued += 1;
    if (before > 0 && code === 0) expect(stderr).toContain('continuing');
    if (code !== null) {
      expect(stderr).not.toContain('error');
      expect(code).toBe(0);
      break;
    }
    killed += 1;
    // it may have been killed after its results were whole
    if (existsSync(join(out, 'result.json.partial'))) expect(groupsKept(out)).toBeGreaterThanOrEqual(before);
  }
  const results = resultsOf(out);
  for (const name of Object.keys(results)) if (/\.tmp-/.test(name)) delete results[name];
  expect(results).toEqual(reference.results);
  rmSync(out, { recursive: true });
  return { killed, continued };
}

/** Runs a flow without disturbance. */
export async function referenceOf(flow: string, folder: string) {
  const out = join(folder, `whole-${flow}`);
  const start = performance.now();
  const { code, stderr } = await startFlow(flow, folder, out).ended;
  expect(stderr).not.toContain('error');
  expect(code).toBe(0);
  return { results: resultsOf(out), seconds: (performance.now() - start) / 1000, name: basename(out) };
}

/** While a flow runs, the same into the same file is refused at once, and the first one ends as it would alone. */
export async function expectRefusal(flow: string, folder: string): Promise<void> {
  const out = join(folder, `twice-${flow}`);
  const first = startFlow(flow, folder, out);
  const lock = join(out, 'result.json.lock');
  while (!statSync(lock, { throwIfNoEntry: false })?.size) await sleep(5);
  // before its end, however slow the machine is
  first.child.kill('SIGSTOP');
  const second = await startFlow(flow, folder, out).ended;
  first.child.kill('SIGCONT');
  expect(second.code).toBe(2);
  expect(second.stderr).toMatch(
    /^error: .*result\.json is in use: process \d+ on .* has been writing to it since .* UTC; wait until it ends, or give another --output_path\n$/,
  );
  expect((await first.ended).code).toBe(0);
  expect(Object.keys(resultsOf(out)).filter((name) => /lock|partial/.test(name))).toEqual([]);
}
