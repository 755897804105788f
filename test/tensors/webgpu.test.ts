/** What the backend `webgpu` has beside its kernels: adapters by name, memory, and no reading but by awaiting. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readJson } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder, modelShapes, readConfig } from '../../src/models/index.js';
import { ModelWeights } from '../../src/models/weights.js';
import { initBackend } from '../../src/tensors/backend.js';
import { parseDevice } from '../../src/tensors/device.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import { advisingOnMemory } from '../../src/tensors/memory-advice.js';
import {
  adamW,
  cachedAttention,
  dropout,
  embedding,
  headLogProbs,
  kvCacheWrite,
  linear,
  packedAttention,
  rmsNorm,
  rotaryEmbedding,
  scoreColumns,
  swiGlu,
} from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { describeAdapters, listAdapters, readAdapterList } from '../../src/tensors/webgpu/adapters.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { sizeClass } from '../../src/tensors/webgpu/buffers.js';
import { loadDawn } from '../../src/tensors/webgpu/dawn.js';
import { spread } from '../../src/tensors/webgpu/program.js';
import { modelMemory } from '../../src/tools/model-memory.js';
import { roomNotes } from '../../src/training/room.js';
import { webGpuUnderTest } from '../prerequisites/index.js';
import { writeTinyModel } from '../training/tiny.js';

it('reads devices of any maker: a number, or the beginning of a name', () => {
  expect(parseDevice('gpu', 'gpu')).toEqual({ type: 'gpu', index: 0 });
  expect(parseDevice('gpu:2', 'gpu')).toEqual({ type: 'gpu', index: 2 });
  expect(parseDevice('swiftshader', 'gpu')).toEqual({ type: 'gpu', index: -1, name: 'swiftshader' });
  expect(() => parseDevice('cuda:0', 'gpu')).toThrow(
    "expected gpu, gpu:<n> or the beginning of a GPU's name",
  );
  expect(() => parseDevice('gpu:0')).toThrow('expected cpu, cuda or cuda:<n>, found "gpu:0"');
});

it('lists adapters as Dawn names them, each once, those in software last', () => {
  const message = `no suitable backends found
Available adapters:
 * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'
 * backend: 'vulkan', name: 'NVIDIA GeForce RTX 3060'
 * backend: 'openglES', name: 'NVIDIA GeForce RTX 3060'`;
  expect(readAdapterList(message)).toEqual([
    { index: 0, api: 'vulkan', name: 'NVIDIA GeForce RTX 3060', twin: 0 },
    { index: 1, api: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)', twin: 0 },
  ]);
  const two = `Available adapters:
 * backend: 'd3d12', name: 'AMD Radeon RX 7600'
 * backend: 'd3d12', name: 'AMD Radeon RX 7600'
 * backend: 'vulkan', name: 'AMD Radeon RX 7600'
 * backend: 'vulkan', name: 'AMD Radeon RX 7600'`;
  expect(readAdapterList(two)).toEqual([
    { index: 0, api: 'd3d12', name: 'AMD Radeon RX 7600', twin: 0 },
    { index: 1, api: 'd3d12', name: 'AMD Radeon RX 7600', twin: 1 },
  ]);
});

it('spreads workgroups over two dimensions, and rounds sizes up by an eighth at most', () => {
  expect(spread(65535, 65535)).toEqual([65535, 1]);
  for (const count of [65536, 1_000_003, 2 ** 31]) {
    const [x, y] = spread(count, 65535);
    expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
    expect(x * y).toBeGreaterThanOrEqual(count);
    expect(x * y - count).toBeLessThan(65535);
  }
  expect(sizeClass(0)).toBe(256);
  for (const bytes of [1, 256, 257, 5000, 1e6, 123_456_789]) {
    expect(sizeClass(bytes)).toBeGreaterThanOrEqual(bytes);
    expect(sizeClass(bytes)).toBeLessThanOrEqual(Math.max(256, bytes * 1.125 + 256));
  }
});

describe.runIf(webGpuUnderTest().length > 0)('on an adapter', () => {
  let dawn: Awaited<ReturnType<typeof loadDawn>>;
  beforeAll(async () => {
    await initBackend('webgpu', { device: 'swiftshader' });
    dawn = await loadDawn();
  });

  const backend = () => tf.backend() as unknown as WebGpuBackend;
  const ids = (...values: number[]) => tf.tensor1d(values, 'int32');

  /** Everything that a step of training and one of decoding do. */
  function steps(rng: Rng, step: number): { loss: tf.Scalar; best: tf.Tensor } {
    const random = (...shape: number[]) =>
      tf.tensor(
        Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
        shape,
      );
    const n = 3 + (step % 5);
    const weight = tf.variable(random(8, 8), true);
    const scale = tf.variable(tf.ones([8]), false);
    const moments = [0, 1].map(() => tf.variable(tf.zeros([8, 8]), false));
    const names = ids(...Array(n).keys());
    const angles = random(n, 2) as tf.Tensor2D;
    const { value, grads } = variableGrads(() => {
      const x = embedding(weight as tf.Tensor2D, names);
      const y = linear(dropout(x, 0.1, 5, names), weight as tf.Tensor2D);
      const heads = tf.reshape(rmsNorm(y, scale as tf.Tensor1D, 1e-6), [n, 2, 4]) as tf.Tensor3D;
      const q = rotaryEmbedding(heads, angles, angles);
      const mixed = packedAttention(q, q, heads, Int32Array.of(0, 2, n), 0.5);
      const gated = swiGlu(tf.reshape(mixed, [n, 8]), y);
      return tf.neg(tf.mean(headLogProbs(gated, weight as tf.Tensor2D, names))) as tf.Scalar;
    }, [weight]);
    const options = { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step: 1 };
    adamW([weight], [grads[weight.name]!], [moments[0]!], [moments[1]!], options);
    const cache = tf.variable(tf.zeros([2, 1, 9, 4]), false);
    const best = tf.tidy(() => {
      const rows = random(2, 1, 4) as tf.Tensor3D;
      kvCacheWrite(cache, rows, ids(0, 1), ids(0, 0));
      const out = cachedAttention(
        rows,
        cache as tf.Tensor4D,
        cache as tf.Tensor4D,
        ids(0, 1),
        ids(1, 1),
        0.5,
      );
      const logits = tf.reshape(out, [2, 4]) as tf.Tensor2D;
      const top = tf.topk(logits, 2).indices as tf.Tensor2D;
      return scoreColumns(logits, top);
    });
    tf.dispose([weight, scale, ...moments, cache, grads, names, angles]);
    return { loss: value, best };
  }

  it('trains and decodes without reading anything, and holds no more memory after many steps', {
    timeout: 300_000,
  }, async () => {
    const readSync = vi.spyOn(backend(), 'readSync');
    const read = vi.spyOn(backend(), 'read');
    const rng = Rng.of(3, 'webgpu');
    const states: object[] = [];
    for (let step = 0; step < 20; step++) {
      const { loss, best } = tf.tidy(() => steps(rng, step));
      if (step % 5 === 4) {
        expect(read).not.toHaveBeenCalled();
        expect(Number.isFinite((await loss.data())[0])).toBe(true);
        await best.data();
        read.mockClear();
        const { numBuffers, numBytesAllocatedInGPU } = backend().memory();
        states.push({ numTensors: tf.memory().numTensors, numBuffers, numBytesAllocatedInGPU });
      }
      tf.dispose([loss, best]);
    }
    expect(readSync).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    expect(states.at(-1)).toEqual(states[1]);
  });

  it('says what was to be read synchronously', () => {
    const x = tf.relu(tf.fill([40, 40], 2));
    expect(() => x.dataSync()).toThrow('float32 [40,40] was to be read synchronously');
    x.dispose();
  });

  it('more workgroups than one dimension has', { timeout: 300_000 }, async () => {
    // a workgroup for each row, and one for each 64 elements
    const rows = 70_000;
    const x = tf.tensor2d(
      Float32Array.from({ length: rows * 2 }, (_, i) => 1 + (i % 7)),
      [rows, 2],
    );
    const y = rmsNorm(x, tf.ones([2]) as tf.Tensor1D, 0);
    const values = await y.data();
    for (const row of [0, 65_534, 65_535, 65_536, rows - 1]) {
      const [a, b] = [1 + ((2 * row) % 7), 1 + ((2 * row + 1) % 7)];
      const root = Math.sqrt((a * a + b * b) / 2);
      expect(values[2 * row]).toBeCloseTo(a / root, 5);
      expect(values[2 * row + 1]).toBeCloseTo(b / root, 5);
    }
    tf.dispose([x, y]);
  });

  it('moves integers of 32 bits as they are, also those that no floating-point number holds', async () => {
    // more than what tfjs computes on the host
    const [rows, asked] = [3000, 2000];
    const values = Int32Array.from({ length: rows }, (_, i) => Math.imul(i + 1, 0x9e3779b9));
    const indices = Int32Array.from({ length: asked }, (_, i) => (i * 7) % rows);
    const expected = Array.from(indices, (index) => values[index]!);
    const names = tf.tensor1d(values, 'int32');
    const gathered = tf.gather(names, tf.tensor1d(indices, 'int32'));
    expect(Array.from(await gathered.data())).toEqual(expected);
    const part = tf.slice(gathered, [1], [asked - 2]);
    expect(Array.from(await part.data())).toEqual(expected.slice(1, -1));
    const wide = tf.reshape(names, [2, 500, 3]);
    const chosen = await tf.gather(wide, tf.tensor2d([[499, 0]], [1, 2], 'int32'), 1).array();
    const of = (sheet: number, row: number) => [0, 1, 2].map((i) => values[(sheet * 500 + row) * 3 + i]!);
    expect(chosen).toEqual([[[of(0, 499), of(0, 0)]], [[of(1, 499), of(1, 0)]]]);
  });

  it('adds up more tensors than a kernel binds', async () => {
    const many = Array.from({ length: 150 }, (_, i) => tf.fill([40, 30], i));
    const total = tf.addN(many);
    expect(new Set(await total.data())).toEqual(new Set([(149 * 150) / 2]));
    tf.dispose([total, many]);
  });

  it('no rows: empty results', async () => {
    const none = tf.zeros<tf.Rank.R2>([0, 8]);
    expect(linear(none, tf.ones([3, 8])).shape).toEqual([0, 3]);
    expect(rmsNorm(none, tf.ones([8]), 1e-6).shape).toEqual([0, 8]);
    expect((await swiGlu(none, none).data()).length).toBe(0);
    expect(headLogProbs(none, tf.ones([3, 8]), ids()).shape).toEqual([0]);
  });

  it('a tensor that the adapter cannot hold is one line', () => {
    expect(() => tf.fill([2 ** 28 + 2 ** 10], 1)).toThrow(
      /^out of memory: webgpu: a tensor of \d+\.\d MiB, of which the adapter allows 1024\.0 MiB$/,
    );
  });

  it('a model with a weight that the adapter cannot hold is refused before any is read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'arclab-large-model-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeTinyModel(folder);
    const config = readJson(join(folder, 'config.json')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, vocab_size: 17_000_000 }));
    // a file with holes for all of its numbers: reading them would take minutes
    const header: Record<string, object> = {};
    let end = 0;
    for (const [name, shape] of modelShapes(readConfig(folder)).weights) {
      const begin = end;
      end += 4 * tf.util.sizeFromShape([...shape]);
      header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const weights = join(folder, 'model.safetensors');
    writeFileSync(weights, Buffer.concat([length, text]));
    truncateSync(weights, 8 + text.length + end);
    const line =
      /arclab-large-model-\w+: model\.embed_tokens\.weight \[17000000, 16\] takes 1037\.6 MiB, and SwiftShader.* allows 1024\.0 MiB in one tensor; use `pruneVocab`, a smaller model, or another `device` or `backend`$/;
    const { numTensors } = tf.memory();
    await expect(loadDecoder(folder)).rejects.toThrow(line);
    expect(tf.memory().numTensors).toBe(numTensors);
    const said = await modelMemory({ modelPath: folder, backend: 'webgpu', device: 'swiftshader' });
    expect(said.at(-1)).toMatchObject({ status: 'broken', found: expect.stringMatching(line) });
    // the rows that are kept fit
    const vocabulary = Int32Array.of(1, 2, 3);
    const spy = vi.spyOn(ModelWeights.prototype, 'tensor').mockImplementation(() => {
      throw new Error('reading begins');
    });
    await expect(loadDecoder(folder, { vocabulary })).rejects.toThrow('reading begins');
    spy.mockRestore();
  });

  it('an adapter that is not there, or another one than before', async () => {
    await expect(initBackend('webgpu', { device: 'gpu:7' })).rejects.toThrow(
      /^`device: gpu:7`: no such adapter\. There are: gpu:0 \(SwiftShader.*, vulkan\)$/,
    );
    await expect(initBackend('webgpu', { device: 'radeon' })).rejects.toThrow(
      '`device: radeon`: no such adapter',
    );
    await expect(initBackend('webgpu', { device: 'cpu' })).rejects.toThrow(
      '`device: cpu`: the backend webgpu computes on GPUs alone',
    );
    expect(await initBackend('webgpu', { device: 'gpu:0' })).toBe('webgpu');
  });

  /** Does something that breaks the device, and takes a new one. */
  async function broken(breaking: () => Promise<void>): Promise<void> {
    try {
      await breaking();
    } finally {
      backend().device.destroy();
      await backend().device.lost;
      await initBackend('webgpu', { device: 'swiftshader' });
    }
  }

  it('a device that is lost is one line that says how to go on, and the next one is whole', async () => {
    await broken(async () => {
      backend().device.destroy();
      const x = tf.tensor1d(new Float32Array(2000));
      await expect(tf.relu(x).data()).rejects.toThrow(
        /^webgpu: the device SwiftShader.* was lost \(.*\); what was written is whole: run the same command again, or with another `backend`$/,
      );
      tf.dispose(x);
    });
    expect(Array.from(await tf.relu(tf.tensor1d([-1, 2])).data())).toEqual([0, 2]);
    const { loss } = tf.tidy(() => steps(Rng.of(3, 'webgpu'), 0));
    expect(Number.isFinite((await loss.data())[0])).toBe(true);
  });

  it('a kernel that a driver refuses is one line with its name and what the driver says', async () => {
    await broken(async () => {
      const x = tf.tensor1d(new Float32Array(2000));
      const code = '@compute @workgroup_size(1) fn main() { let wrong: i32 = 1.5; }';
      backend().run({ name: 'wrong-kernel', code, buffers: 'w' }, [x], [], [], 1);
      const next = async () => tf.relu(x).data();
      await expect(next()).rejects.toThrow(
        /^webgpu: the driver of SwiftShader.* refused the kernel wrong-kernel: .*cannot convert value of type [^@]*; use another `device` or `backend`$/,
      );
    });
  });

  it('memory that runs out on the device says how much is in use, and which option needs less', async () => {
    await broken(async () => {
      const { device } = backend();
      const Event = (dawn.globals as Record<string, new (...parameters: unknown[]) => Event>)
        .GPUUncapturedErrorEvent!;
      const Out = (dawn.globals as Record<string, new (text: string) => Error>).GPUOutOfMemoryError!;
      device.dispatchEvent(new Event('uncapturederror', { error: new Out('cannot allocate 512 MiB') }));
      const use = () =>
        advisingOnMemory(
          () => tf.relu(tf.tensor1d(new Float32Array(2000))),
          () => 'step 3, a micro-batch of 2 samples',
          () => ['a lower `maxTokensPerBatch` (8192 now)', '`gradientCheckpointing`'],
        );
      expect(use).toThrow(
        /^out of memory in step 3, a micro-batch of 2 samples \(webgpu: cannot allocate 512 MiB \([\d.]+ MiB in use\)\); use a lower `maxTokensPerBatch` \(8192 now\), or `gradientCheckpointing`$/,
      );
    });
  });

  it('a model whose weights do not fit in all is refused before any is read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'arclab-whole-model-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeTinyModel(folder);
    const total = vi.spyOn(backend(), 'totalMemory', 'get').mockReturnValue(2 ** 12);
    const read = vi.spyOn(ModelWeights.prototype, 'tensor');
    await expect(loadDecoder(folder)).rejects.toThrow(
      /: its weights take 0\.\d MiB, and SwiftShader.* has 0\.0 MiB in all; use `pruneVocab`, a smaller model, or another `device` or `backend`$/,
    );
    expect(read).not.toHaveBeenCalled();
    total.mockReturnValue(2 ** 30);
    (await loadDecoder(folder)).dispose();
    const room = async (bytes: number) => {
      total.mockReturnValue(bytes);
      const said = await modelMemory({ modelPath: folder, backend: 'webgpu', device: 'swiftshader' });
      return said.find(({ name }) => name === 'room, predicted');
    };
    expect(await room(2 ** 30)).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(
        /^weights and that pass take .* MiB \(with .*\) of the 1\.00 GiB that the GPU has$/,
      ),
    });
    const model = {
      config: readConfig(folder),
      floatType: 'float32',
      lora: undefined,
      cut: undefined,
    } as const;
    const pass = { tokens: 4096, checkpointing: false };
    total.mockReturnValue(2 ** 30);
    expect(roomNotes(model, { ...pass, trainsAll: true })).toEqual([]);
    total.mockReturnValue(2 ** 21);
    expect(roomNotes(model, { ...pass, trainsAll: true })).toEqual([
      expect.stringMatching(
        /^training is predicted to take [\d.]+ MiB \([\d.]+ MiB of it for weights\), and SwiftShader.* has 2\.00 MiB: use a lower `maxTokensPerBatch` \(4096 now\), or `gradientCheckpointing`, or `useLora`$/,
      ),
    ]);
    expect(await room(2 ** 21)).toMatchObject({ status: 'broken', advice: expect.stringContaining('lower') });
    vi.restoreAllMocks();
  });

  it('knows how much memory the adapter has, from Vulkan', async () => {
    const [adapter] = await listAdapters();
    // SwiftShader's heap is a number of its own; whatever it is, buffers of the largest size fit
    expect(adapter!.memory).toBeGreaterThanOrEqual(2 ** 30);
    expect(backend().totalMemory).toBe(adapter!.memory);
    expect((await describeAdapters())[0]).toMatch(
      /^gpu:0 \(SwiftShader.*\): \d+\.\d GiB of memory, tensors up to 1024 MiB/,
    );
  });
});
