/**
 * What a step costs the host on the backend `webgpu`, and how long steps take there and on `wasm`, in one run. The
 * adapter is the first one, or the one that ARCLAB_ADAPTER names; where it computes on the processor, the report says
 * so, and steps are fewer and shorter: times are then no times of a GPU. What the host spends is also measured on Dawn's
 * adapter that does nothing, which needs no GPU and no driver. A minute or two; in software a few more.
 */
import { readFileSync } from 'node:fs';
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { isSoftware } from '../../src/tensors/webgpu/adapters.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { loadDawn } from '../../src/tensors/webgpu/dawn.js';
import { registerOnAdapter } from '../../src/tensors/webgpu/register.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { Trainer } from '../../src/training/trainer.js';
import { askSide } from './processes.js';
import { adaptedQwen, qwenConfig, qwenDecoder } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  /** Median milliseconds of a step. */
  median: number;
  /** Milliseconds that the thread of JavaScript computes in a step, on average, but for waiting for the device. */
  host: number;
  /** Kernels that the device is asked for in a step, on average; 0 on wasm. */
  operations: number;
  adapter: string;
}

/** As deep as Qwen2-0.5B and so narrow that arithmetic takes no time. */
const NARROW = {
  ...qwenConfig,
  vocabSize: 64,
  hiddenSize: 16,
  intermediateSize: 16,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  headDim: 8,
};
/** Small, but with arithmetic to do. */
const SMALL = {
  ...qwenConfig,
  vocabSize: 4096,
  hiddenSize: 256,
  intermediateSize: 768,
  numHiddenLayers: 4,
  numAttentionHeads: 8,
  numKeyValueHeads: 2,
  headDim: 32,
};
type Config = typeof NARROW;
const configs: Record<string, Config> = { narrow: NARROW, small: SMALL };

/** Steps that are measured, those before them that are not, and the tokens of a step of training. */
interface Amount {
  readonly warmUp: number;
  readonly steps: number;
  readonly tokens: number;
}
/**
 * By shape and kind of step. Narrow steps are measured once their code is compiled: the first dozen of some thousand
 * kernels each take twice as long.
 */
const amounts: Record<string, Amount> = {
  'narrow decode': { warmUp: 60, steps: 200, tokens: 0 },
  'narrow train': { warmUp: 15, steps: 40, tokens: 16 },
  'small decode': { warmUp: 10, steps: 40, tokens: 0 },
  'small train': { warmUp: 3, steps: 8, tokens: 256 },
};
/** The same where a driver in software computes. */
const amountsInSoftware: typeof amounts = {
  'narrow decode': { warmUp: 2, steps: 6, tokens: 0 },
  'narrow train': { warmUp: 2, steps: 5, tokens: 16 },
  'small decode': { warmUp: 2, steps: 6, tokens: 0 },
  'small train': { warmUp: 1, steps: 2, tokens: 48 },
};

/** Milliseconds that this thread has computed; 0 where the system does not say. */
function threadMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return 0;
  }
}

/** Counts what a thread computes while it waits for the device, which Dawn asks again and again whether it is done. */
function whileReading(backend: WebGpuBackend): () => number {
  const read = backend.read.bind(backend);
  let waited = 0;
  backend.read = async (id) => {
    const values = read(id);
    const start = threadMs();
    await values;
    waited += threadMs() - start;
    return values;
  };
  return () => waited;
}

/** Computes on the adapter of Dawn that does nothing: what is left of a step is what the host does. */
async function computeNothing(): Promise<void> {
  const { create } = await loadDawn();
  instance = create(['backend=null']);
  const adapter = await instance.requestAdapter();
  await registerOnAdapter(adapter!, 'a device that does nothing');
  await tf.setBackend('webgpu');
}

/** Collected while its device is in use, it would take the device along. */
let instance: GPU | undefined;

/** One side, in a process of its own: `decode` or `train`, on a backend, of one of the shapes; compared with what. */
export async function measure(
  what: string,
  name: string,
  shape: string,
  comparedWith = '',
): Promise<Measurement> {
  if (name === 'null') await computeNothing();
  else await initBackend(name, name === 'webgpu' ? { device: process.env.ARCLAB_ADAPTER ?? 'gpu:0' } : {});
  const config = configs[shape]!;
  const adapter = name === 'wasm' ? '' : (tf.backend() as unknown as WebGpuBackend).deviceName;
  const table = isSoftware(adapter || comparedWith) ? amountsInSoftware : amounts;
  const { warmUp, steps, tokens } = table[`${shape} ${what}`]!;
  const step = what === 'decode' ? decodingStep(config, warmUp + steps) : await trainingStep(config, tokens);
  for (let i = 0; i < warmUp; i++) await step();
  const device = name === 'wasm' ? undefined : (tf.backend() as unknown as WebGpuBackend);
  const waited = device ? whileReading(device) : () => 0;
  const before = { operations: device?.commands.count ?? 0, host: threadMs() };
  const times: number[] = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    await step();
    times.push(performance.now() - start);
  }
  const spent = threadMs() - before.host - waited();
  // a process that ends while the device computes may crash
  await device?.queue.onSubmittedWorkDone();
  times.sort((a, b) => a - b);
  return {
    median: times[steps >> 1] as number,
    host: spent / steps,
    operations: ((device?.commands.count ?? 0) - before.operations) / steps,
    adapter,
  };
}

/** A token for each of four sequences. */
function decodingStep(config: Config, length: number): () => Promise<void> {
  const decoder = qwenDecoder(undefined, { config });
  const slots = Int32Array.of(0, 1, 2, 3);
  const cache = new KvCache(config, { slots: slots.length, maxLength: length });
  let tokens = new Int32Array(slots.length);
  let position = 0;
  return async () => {
    const positions = new Int32Array(slots.length).fill(position++);
    const best = tf.tidy(() =>
      tf.argMax(decoder.logits(decoder.forwardCached(tokens, slots, positions, cache)), -1),
    );
    // a device that computes nothing gives any number
    tokens = Int32Array.from(await best.data(), (token) => Math.abs(token) % config.vocabSize);
    best.dispose();
  };
}

/** Forward, backward and AdamW of a LoRA adapter for one sample. */
async function trainingStep(config: Config, length: number): Promise<() => Promise<unknown>> {
  const sample = {
    tokens: new Int32Array(length).fill(3),
    index: 0,
    labelSpans: [[length / 2, length]],
    weight: 1,
    kind: 'bench',
    dataset: 'bench',
  } as TrainingSample;
  const trainer = new Trainer(
    await adaptedQwen({ config }),
    { next: async () => sample },
    {
      seed: 0,
      schedule: () => 1e-4,
      batchSize: 1,
      maxTokensPerBatch: 4 * length,
      maxGradNorm: 1,
      weightDecay: 0,
    },
  );
  return () => trainer.step();
}

export async function run(): Promise<void> {
  const ask = (...args: [string, string, string, ...string[]]) => askSide<Measurement>('webgpu', ...args);
  const kinds = [
    ['a step of decoding', 'decode'],
    ['a step of LoRA training', 'train'],
  ] as const;
  for (const where of ['null', 'webgpu']) {
    for (const [name, what] of kinds) {
      const { median, host, operations, adapter } = ask(what, where, 'narrow');
      const device = isSoftware(adapter) ? `${adapter}, a device in software` : adapter;
      if (what === 'decode') console.log(`what a step of 24 narrow layers costs the host, on ${device}`);
      row(
        name,
        `${median.toFixed(1)} ms`,
        `host ${host.toFixed(2)} ms`,
        `${operations.toFixed(0)} operations`,
        `${((1000 * host) / operations).toFixed(1)} µs each`,
      );
    }
  }
  console.log('a step of 4 layers of width 256');
  for (const [name, what] of kinds) {
    const gpu = ask(what, 'webgpu', 'small');
    const wasm = ask(what, 'wasm', 'small', gpu.adapter);
    row(
      name,
      `webgpu ${gpu.median.toFixed(1)} ms`,
      `wasm ${wasm.median.toFixed(1)} ms`,
      `${(wasm.median / gpu.median).toFixed(2)} ×`,
    );
  }
}
