/**
 * Data-parallel training: the same fine-tuning by one process with one thread, by one with two, and by two ranks with
 * one thread each, on two cores, in turn, so that a machine that gets slower for a while slows all of them; and what one
 * all-reduce of the adapter's gradients and a barrier take. Needs MPI. Four minutes.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findMpirun, mpirunWords } from '../../src/cli/mpirun.js';
import { buildFile } from '../../src/common/files.js';
import { placementOf } from '../../src/tensors/collective/environment.js';
import { joinCollective } from '../../src/tensors/collective/join.js';
import { row } from './report.js';

/** How often each of the three is run, in turn. */
const ROUNDS = 5;
const STEPS = 5;
/** The first are slower: code is compiled, memory is touched. */
const WARM = 1;
/** Rank 32 on the attention of 6 layers of width 256. */
const shape = ['--hidden_size', '256', '--num_layers', '6', '--num_heads', '8', '--num_key_value_heads', '4'];

interface Step {
  readonly type: string;
  readonly tokensPerSecond: number;
  readonly tokens: number;
}

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

function arclab(words: readonly string[], env: Record<string, string> = {}): void {
  execFileSync(process.execPath, [buildFile('arclab.cjs'), ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Tokens that a training computes in a second, the middle of its steps, and how long a step takes. */
function train(folder: string, name: string, launch: readonly string[], threads: number) {
  const words = [
    ...launch,
    ...['fine-tune', '--model_path', join(folder, 'model'), '--output_dir', join(folder, name)],
    ...['--train_datasets', join(folder, 'tasks.json'), 'output-from-examples-mini'],
    ...['--batch_size', '16', '--max_seq_len', '1024', '--workers', '0', '--backend', 'wasm'],
    '--no-resume_from_checkpoint',
    ...['--max_steps', String(STEPS), '--logging_steps', '1', '--save_steps', String(STEPS)],
    ...['--grid_encoder', 'MinimalGridEncoder()'],
  ];
  arclab(words, { ARCLAB_THREADS: String(threads), OMP_NUM_THREADS: String(threads) });
  const lines = readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const steps = lines.map((line) => JSON.parse(line) as Step).filter(({ type }) => type === 'train');
  const perSecond = median(steps.slice(WARM).map(({ tokensPerSecond }) => tokensPerSecond));
  return { perSecond, stepSeconds: steps.at(-1)!.tokens / steps.length / perSecond };
}

/** Of each rank: milliseconds of a sum of so many floats over the ranks, and of a barrier. */
export async function measure(floats = '0'): Promise<object> {
  const ranks = await joinCollective(placementOf(process.env)!, (reason) => {
    throw new Error(reason);
  });
  const values = new Float32Array(Number(floats)).fill(1);
  const timed = async (f: () => Promise<void>) => {
    const times: number[] = [];
    for (let i = 0; i < 50; i++) {
      const start = performance.now();
      await f();
      times.push(performance.now() - start);
    }
    return median(times);
  };
  const result = {
    sum: await timed(() => ranks.allReduce(values)),
    barrier: await timed(() => ranks.barrier()),
  };
  await ranks.close();
  return result;
}

export async function run(): Promise<void> {
  const mpirun = findMpirun();
  const folder = mkdtempSync(join(tmpdir(), 'arclab-bench-ranks-'));
  try {
    arclab(['init-model', '--output_dir', join(folder, 'model'), ...shape]);
    arclab(['generate-tasks', '--count', '200', '--output_path', join(folder, 'tasks.json')]);
    const ways = {
      '1 process, 1 thread': () => train(folder, 'one', [], 1),
      '1 process, 2 threads': () => train(folder, 'threads', [], 2),
      '2 ranks, 1 thread each': () => train(folder, 'ranks', ['launch', '--processes', '2'], 1),
    };
    const rounds = Array.from({ length: ROUNDS }, () => Object.values(ways).map((way) => way()));
    for (const [i, name] of Object.keys(ways).entries()) {
      const speeds = rounds.map((round) => round[i]!.perSecond);
      // within a round, whose parts the machine has seen shortly one after the other
      const ratios = rounds.map((round) => round[i]!.perSecond / round[0]!.perSecond);
      const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
      row(name, `${median(speeds).toFixed(0)} tokens/s`, `${median(ratios).toFixed(2)} ×`, range);
    }
    const stepSeconds = median(rounds.map((round) => round[2]!.stepSeconds));
    // queries and outputs 256 × 256, keys and values 128 × 256, all of 6 layers
    const floats = 6 * 32 * (2 * (256 + 256) + 2 * (128 + 256));
    const command = [process.execPath, fileURLToPath(import.meta.url), '--side', 'ranks', String(floats)];
    const output = execFileSync(mpirun.program, mpirunWords(mpirun, 2, command), { encoding: 'utf8' });
    const { sum, barrier } = JSON.parse(output.trim().split('\n').at(-1)!) as {
      sum: number;
      barrier: number;
    };
    const part = (milliseconds: number) => `${((0.1 * milliseconds) / stepSeconds).toFixed(2)} %`;
    row('a step of 2 ranks', `${(1000 * stepSeconds).toFixed(0)} ms`);
    row(`all-reduce of ${(floats / 1e6).toFixed(2)} million floats`, `${sum.toFixed(2)} ms`, part(sum));
    row('barrier', `${barrier.toFixed(2)} ms`, part(barrier));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
