/**
 * Data-parallel training: the same fine-tuning by one process with one thread, by one with two, and by two ranks with
 * one thread each, on two cores; and what one all-reduce of the adapter's gradients takes. Needs Open MPI. Four minutes.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findMpirun, mpirunWords } from '../../src/cli/mpirun.js';
import { buildFile } from '../../src/common/files.js';
import { placementOf } from '../../src/tensors/collective/environment.js';
import { joinRanks } from '../../src/tensors/collective/join.js';
import { row } from './report.js';

const STEPS = 12;
/** The first are slower: code is compiled, memory is touched. */
const WARM = 2;
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
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Tokens that a training computes in a second and in a step. */
function train(folder: string, name: string, launch: readonly string[], threads: number) {
  const words = [
    ...launch,
    ...['fine-tune', '--model_path', join(folder, 'model'), '--output_dir', join(folder, name)],
    ...['--train_datasets', join(folder, 'tasks.json'), 'output-from-examples-mini'],
    ...['--batch_size', '16', '--max_seq_len', '1024', '--workers', '0', '--backend', 'wasm'],
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
  const ranks = await joinRanks(placementOf(process.env)!, (reason) => {
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
    arclab(['generate-tasks', '--count', '200', '--output_filepath', join(folder, 'tasks.json')]);
    const one = train(folder, 'one', [], 1);
    const threads = train(folder, 'threads', [], 2);
    const ranks = train(folder, 'ranks', ['launch', '--processes', '2'], 1);
    for (const [name, { perSecond }] of Object.entries({
      '1 process, 1 thread': one,
      '1 process, 2 threads': threads,
      '2 ranks, 1 thread each': ranks,
    })) {
      row(name, `${perSecond.toFixed(0)} tokens/s`, `${(perSecond / one.perSecond).toFixed(2)} ×`);
    }
    // queries and outputs 256 × 256, keys and values 128 × 256, all of 6 layers
    const floats = 6 * 32 * (2 * (256 + 256) + 2 * (128 + 256));
    const command = [process.execPath, fileURLToPath(import.meta.url), '--side', 'ranks', String(floats)];
    const output = execFileSync(mpirun.program, mpirunWords(mpirun, 2, command), { encoding: 'utf8' });
    const { sum, barrier } = JSON.parse(output.trim().split('\n').at(-1)!) as {
      sum: number;
      barrier: number;
    };
    const part = (100 * (sum + barrier)) / (1000 * ranks.stepSeconds);
    row(`all-reduce of ${(floats / 1e6).toFixed(2)} million floats`, `${sum.toFixed(2)} ms`);
    row('barrier', `${barrier.toFixed(2)} ms`, `both ${part.toFixed(2)} %`, 'of a step');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
