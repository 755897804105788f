import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { packedAttention, rmsNorm } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { torchIsPresent } from '../../src/tensors/torch/locate.js';
import { Allocator, type Block } from '../../src/tensors/wasm/allocator.js';
import { WasmBackend } from '../../src/tensors/wasm/backend.js';
import { threadCount, WasmRuntime } from '../../src/tensors/wasm/runtime.js';

function memoryOf(pages: number, maximum: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum, shared: true });
}

describe('allocator', () => {
  test('blocks never overlap, and all memory comes back', () => {
    const rng = Rng.of(1, 'allocator');
    const allocator = new Allocator(memoryOf(4, 4096), 1000);
    const live: Block[] = [];
    for (let i = 0; i < 20_000; i++) {
      if (live.length > 0 && rng.chance(live.length > 200 ? 0.6 : 0.4)) {
        const [block] = live.splice(rng.int(0, live.length - 1), 1);
        allocator.release(block!);
      } else {
        live.push(allocator.allocate(Math.floor(2 ** (rng.uniform() * 18))));
      }
    }
    const sorted = live.toSorted((a, b) => a.pointer - b.pointer);
    for (const [i, block] of sorted.entries()) {
      expect(block.pointer % 64).toBe(0);
      expect(block.pointer).toBeGreaterThanOrEqual(1000);
      if (i > 0) expect(block.pointer).toBeGreaterThanOrEqual(sorted[i - 1]!.pointer + sorted[i - 1]!.size);
    }
    expect(allocator.usedBytes).toBe(live.reduce((sum, block) => sum + block.size, 0));
    for (const block of live) allocator.release(block);
    expect(allocator.usedBytes).toBe(0);
    // everything is one block again: the largest request that fits does not make the memory grow
    const reserved = allocator.reservedBytes;
    allocator.allocate(reserved - 2048);
    expect(allocator.reservedBytes).toBe(reserved);
  });

  test('the same sizes again take the same memory again', () => {
    const allocator = new Allocator(memoryOf(4, 4096), 0);
    const step = (): void => {
      const blocks = [300, 70_000, 64, 1_000_000, 5000].map((size) => allocator.allocate(size));
      for (const block of blocks) allocator.release(block);
    };
    step();
    const reserved = allocator.reservedBytes;
    for (let i = 0; i < 1000; i++) step();
    expect(allocator.reservedBytes).toBe(reserved);
  });

  test('what does not fit is one clear line', () => {
    const allocator = new Allocator(memoryOf(1, 65_536), 0);
    expect(() => allocator.allocate(5 * 2 ** 30)).toThrow(
      /^out of memory in the wasm backend: 5\.0 GB .*limit 4\.0 GB/,
    );
    expect(allocator.usedBytes).toBe(0);
  });
});

describe('backend', () => {
  const saved = process.env.ARCLAB_BACKEND;
  afterEach(() => {
    if (saved === undefined) delete process.env.ARCLAB_BACKEND;
    else process.env.ARCLAB_BACKEND = saved;
  });

  test('is chosen by name, then by ARCLAB_BACKEND, then as the best present', async () => {
    process.env.ARCLAB_BACKEND = 'cpu';
    expect(await initBackend('wasm')).toBe('wasm');
    expect(await initBackend()).toBe('cpu');
    delete process.env.ARCLAB_BACKEND;
    const best = torchIsPresent() ? 'torch' : 'wasm';
    expect(await initBackend()).toBe(best);
    expect(tf.getBackend()).toBe(best);
  });

  test('unknown names list the known ones', async () => {
    await expect(initBackend('cuda')).rejects.toThrow(
      '`backend`: unknown backend "cuda". Known backends: torch, wasm, tensorflow, webgpu, cpu',
    );
    process.env.ARCLAB_BACKEND = 'gpu';
    await expect(initBackend()).rejects.toThrow('ARCLAB_BACKEND: unknown backend "gpu"');
  });

  test('ARCLAB_THREADS is a whole number from 1 to 8', () => {
    expect(threadCount('1')).toBe(1);
    expect(threadCount('99')).toBe(8);
    expect(threadCount('')).toBeGreaterThanOrEqual(1);
    for (const bad of ['0', '-2', '1.5', 'two']) expect(() => threadCount(bad)).toThrow(`found "${bad}"`);
  });

  test('reading gives copies', async () => {
    await initBackend('wasm');
    const x = tf.tensor1d([1, 2, 3]);
    const values = x.dataSync();
    values[0] = 99;
    expect(Array.from(x.dataSync())).toEqual([1, 2, 3]);
    expect(values.buffer).toBeInstanceOf(ArrayBuffer);
    expect(Array.from(await x.data())).toEqual([1, 2, 3]);
    x.dispose();
  });

  test('data is shared between reshapes and clones, and freed with the last of them', async () => {
    await initBackend('wasm');
    const backend = tf.backend() as WasmBackend;
    const before = { ids: backend.numDataIds(), bytes: backend.memory().numBytesInMemory };
    const x = tf.zeros([1000]);
    const [y, z] = [tf.reshape(x, [10, 100]), tf.clone(x)];
    expect(backend.numDataIds()).toBe(before.ids + 1);
    expect(backend.refCount(x.dataId)).toBe(3);
    tf.dispose([x, y]);
    expect(Array.from(z.dataSync())).toEqual(new Array(1000).fill(0));
    z.dispose();
    expect(backend.numDataIds()).toBe(before.ids);
    expect(backend.memory().numBytesInMemory).toBe(before.bytes);
  });

  test('tensors move from the plain backend and back', async () => {
    await initBackend('cpu');
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const y = tf.reshape(x, [4]);
    await initBackend('wasm');
    const sum = tf.add(y, 1);
    expect(Array.from(sum.dataSync())).toEqual([2, 3, 4, 5]);
    expect((tf.backend() as WasmBackend).refCount(x.dataId)).toBe(2);
    await initBackend('cpu');
    expect(Array.from(tf.mul(sum, tf.reshape(x, [4])).dataSync())).toEqual([2, 6, 12, 20]);
    tf.dispose([x, y, sum]);
    await initBackend('wasm');
  });

  test('memory stays flat over thousands of training steps', async () => {
    await initBackend('wasm');
    const rng = Rng.of(2, 'flat');
    const weight = tf.variable(
      tf.tensor2d(
        Array.from({ length: 48 }, () => rng.normal()),
        [6, 8],
      ),
    );
    const scale = tf.variable(tf.ones([8]));
    const step = (i: number): void => {
      const n = 1 + (i % 7);
      const { value, grads } = tf.variableGrads(() => {
        const x = rmsNorm(
          tf.matMul(tf.fill([n, 6], 0.5), weight as tf.Tensor2D) as tf.Tensor2D,
          scale as tf.Tensor1D,
          1e-6,
        );
        const heads = tf.reshape(x, [n, 2, 4]) as tf.Tensor3D;
        return tf.sum(tf.square(packedAttention(heads, heads, heads, Int32Array.from([0, n]), 0.5)));
      });
      const next = tf.tidy(() => tf.sub(weight, tf.mul(grads[weight.name]!, 1e-3))) as typeof weight;
      weight.assign(next);
      tf.dispose([value, grads, next]);
    };
    for (let i = 0; i < 20; i++) step(i);
    const state = () => {
      const { numTensors, numDataBuffers, numBytes } = tf.memory();
      return { numTensors, numDataBuffers, numBytes, ...tf.backend().memory() };
    };
    const before = state();
    for (let i = 0; i < 2000; i++) step(i);
    expect(state()).toEqual(before);
    tf.dispose([weight, scale]);
  });
});

describe('accuracy', () => {
  /** The largest error over many points, in units of the last place of a float32. */
  function largestError(
    f: (x: tf.Tensor) => tf.Tensor,
    exact: (x: number) => number,
    points: Float32Array,
  ): number {
    const results = tf.tidy(() => f(tf.tensor1d(points)).dataSync());
    let largest = 0;
    for (const [i, x] of points.entries()) {
      const expected = exact(x);
      const ulp = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(expected))) - 23);
      largest = Math.max(largest, Math.abs((results[i] as number) - expected) / ulp);
    }
    return largest;
  }

  test('exp, log, tanh and sigmoid are within a few units of the last place', async () => {
    await initBackend('wasm');
    const between = (low: number, high: number): Float32Array =>
      Float32Array.from({ length: 100_001 }, (_, i) => low + ((high - low) * i) / 100_000);
    expect(largestError(tf.exp, Math.exp, between(-87, 88))).toBeLessThan(2);
    expect(largestError(tf.log, Math.log, between(1e-6, 4))).toBeLessThan(2);
    expect(largestError(tf.log, Math.log, between(1, 1e30))).toBeLessThan(2);
    expect(largestError(tf.tanh, Math.tanh, between(-9, 9))).toBeLessThan(2.5);
    expect(largestError(tf.sigmoid, (x) => 1 / (1 + Math.exp(-x)), between(-60, 60))).toBeLessThan(4);
  });
});

describe('threads', () => {
  /** Results of several kernels with a number of threads, as raw bytes. */
  function compute(threads: number): Buffer {
    const name = `wasm-${threads}-threads`;
    for (const kernel of tf.getKernelsForBackend('wasm')) {
      if (!tf.getKernel(kernel.kernelName, name)) tf.registerKernel({ ...kernel, backendName: name });
    }
    tf.registerBackend(name, () => new WasmBackend(new WasmRuntime(threads)));
    tf.setBackend(name);
    const rng = Rng.of(3, 'threads');
    const draw = (shape: number[]): tf.Tensor =>
      tf.tensor(
        Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
        shape,
      );
    const bytes = tf.engine().tidy(() => {
      const [a, b] = [draw([333, 257]) as tf.Tensor2D, draw([129, 257]) as tf.Tensor2D];
      const c = tf.matMul(a, b, false, true);
      const heads = tf.reshape(tf.slice(c, [0, 0], [300, 128]), [300, 4, 32]) as tf.Tensor3D;
      const segments = Int32Array.from([0, 100, 110, 300]);
      const attention = (x: tf.Tensor): tf.Scalar =>
        tf.sum(
          tf.square(packedAttention(x as tf.Tensor3D, x as tf.Tensor3D, x as tf.Tensor3D, segments, 0.1)),
        );
      const results = [
        c,
        tf.matMul(a, tf.matMul(b, b, true, false)),
        tf.sum(a, 0),
        tf.softmax(a),
        tf.transpose(a),
        tf.exp(tf.add(a, tf.slice(b, [0, 0], [1, 257]))),
        tf.sum(draw([3 * 65_536])),
        tf.grad(attention)(heads),
      ];
      return Buffer.concat(results.map((result) => Buffer.from(result.dataSync().buffer)));
    }) as unknown as Buffer;
    return bytes;
  }

  test('results are the same bits with 1, 2, 3 and 8 threads', async () => {
    await initBackend('wasm');
    const one = compute(1);
    for (const threads of [2, 3, 8]) {
      for (let run = 0; run < 2; run++) expect(compute(threads).equals(one)).toBe(true);
    }
    await initBackend('wasm');
  });

  test('do not keep the process alive', () => {
    const runtime = new URL('../../dist/wasm-worker.cjs', import.meta.url).pathname;
    const script = `
      const { Worker } = require('node:worker_threads');
      const { readFileSync } = require('node:fs');
      const module_ = new WebAssembly.Module(readFileSync(${JSON.stringify(runtime.replace('wasm-worker.cjs', 'kernels.wasm'))}));
      const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
      new Worker(${JSON.stringify(runtime)}, { workerData: { module: module_, memory, kernelNames: ['exp'], thread: 1 } }).unref();
      console.log('end');`;
    expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20_000 })).toBe(
      'end\n',
    );
  });
});
