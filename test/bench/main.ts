/** `npm run bench [name…]`: every bench compares two things in one run and prints the ratio. */
import * as adapter from './adapter.bench.js';
import * as attention from './attention.bench.js';
import * as decode from './decode.bench.js';
import * as int8 from './int8.bench.js';
import * as interrupts from './interrupts.bench.js';
import * as kernel from './kernel.bench.js';
import * as matmul from './matmul.bench.js';
import * as ranks from './ranks.bench.js';
import * as scoring from './scoring.bench.js';
import * as search from './search.bench.js';
import * as sweep from './sweep.bench.js';
import * as taskTuning from './task-tuning.bench.js';
import * as torchGenerate from './torch-generate.bench.js';
import * as torchHost from './torch-host.bench.js';
import * as torchTrain from './torch-train.bench.js';
import * as trainStep from './train-step.bench.js';
import * as webgpu from './webgpu.bench.js';

interface Bench {
  run(): Promise<void>;
  /** One side of the comparison, in a process of its own; printed as JSON. */
  measure?(...args: string[]): Promise<object>;
}

const benches: Record<string, Bench> = {
  matmul,
  attention,
  adapter,
  int8,
  decode,
  search,
  'train-step': trainStep,
  scoring,
  'task-tuning': taskTuning,
  'torch-train': torchTrain,
  'torch-generate': torchGenerate,
  'torch-host': torchHost,
  webgpu,
  kernel,
  interrupts,
  ranks,
  sweep,
};

/** Those that need nothing but this package. */
const selfContained = ['matmul', 'decode', 'train-step'];

function find(name: string | undefined): Bench {
  const bench = benches[name ?? ''];
  if (bench) return bench;
  throw new Error(`unknown bench "${name}". Known benches: ${Object.keys(benches).join(', ')}`);
}

async function main(): Promise<void> {
  const [first, second, ...rest] = process.argv.slice(2);
  if (first === '--side') {
    console.log(JSON.stringify(await find(second).measure?.(...rest)));
    // a backend's threads would keep the process
    process.exit(0);
  }
  for (const name of first === undefined ? selfContained : process.argv.slice(2)) {
    await find(name).run();
    console.log();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
