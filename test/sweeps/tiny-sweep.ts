/** Sweeps of tiny parts, their workers, and how often each part came to its end: for the tests and the bench. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildFile } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { readLog, savePlan, stateOf } from '../../src/sweeps/part-files.js';
import type { Part, SweepPlan } from '../../src/sweeps/plan.js';

/** A plan of pairs of parts, of which the second needs the first. */
export function tinyPlan(folder: string, parts: number, milliseconds: number): SweepPlan {
  mkdirSync(folder, { recursive: true });
  const all = Array.from({ length: parts }, (_, i): Part => {
    const id = `part-${i}`;
    return {
      id,
      kind: 'tiny',
      needs: i % 2 === 0 ? [] : [`part-${i - 1}`],
      options: { folder, milliseconds },
    };
  });
  const plan: SweepPlan = { format: 1, outputDir: folder, runs: [], parts: all };
  savePlan(plan);
  return plan;
}

/** Starts a worker, and another one in its place whenever it is killed. */
export class TinyWorkers {
  readonly #children = new Set<ChildProcess>();
  readonly #ended: Promise<void>[] = [];
  errors = '';
  kills = 0;

  constructor(
    readonly url: string,
    readonly lease: number,
    count: number,
  ) {
    for (let i = 0; i < count; i++) this.#start();
  }

  #start(): void {
    const child = spawn(
      process.execPath,
      [buildFile('test/tiny-sweep-worker.cjs'), this.url, String(this.lease)],
      {
        env: { ...process.env, VITEST: undefined },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    child.stderr!.on('data', (data) => {
      this.errors += data;
    });
    this.#children.add(child);
    const ended = new Promise<void>((resolve) =>
      child.once('exit', (_, signal) => {
        this.#children.delete(child);
        if (signal === 'SIGKILL') this.#start();
        resolve();
      }),
    );
    this.#ended.push(ended);
  }

  /** Kills one that is drawn. */
  kill(rng: Rng): void {
    const all = [...this.#children];
    if (all.length === 0) return;
    this.kills++;
    all[rng.int(0, all.length - 1)]!.kill('SIGKILL');
  }

  get running(): number {
    return this.#children.size;
  }

  /** Waits until all have ended by themselves. */
  async ended(): Promise<void> {
    for (let i = 0; i < this.#ended.length; i++) await this.#ended[i];
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGTERM');
  }
}

/** Parts that are done, and those whose last step was taken, or whose end was logged, more than once. */
export function countEnds({ outputDir, parts }: SweepPlan): { done: number; twice: string[] } {
  const path = join(outputDir, 'steps.log');
  const steps = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const done = parts.filter(({ id }) => stateOf(outputDir, id)?.status === 'done');
  const twice = parts.filter(({ id }) => {
    const ends = readLog(outputDir, id).match(/ done: steps/g)?.length ?? 0;
    return ends > 1 || steps.filter((line) => line === `${id} 2`).length > 1;
  });
  return { done: done.length, twice: twice.map(({ id }) => id) };
}

/** Kills workers at times that are drawn, as many as there are times, until the sweep is done. */
export async function killSometimes(
  plan: SweepPlan,
  workers: TinyWorkers,
  kills: number,
  { seed = 0, total = plan.parts.length } = {},
): Promise<void> {
  const rng = Rng.of(seed, 'kills');
  // spread over the parts, so that every kill is in the middle
  const at = Array.from({ length: kills }, (_, i) => Math.floor(((i + rng.uniform()) * total * 0.9) / kills));
  for (const wanted of at) {
    while (countDone(plan) < wanted) await sleep(20);
    workers.kill(rng);
  }
}

const countDone = ({ outputDir, parts }: SweepPlan): number =>
  parts.filter(({ id }) => existsSync(join(outputDir, `${id}.step`))).length;
