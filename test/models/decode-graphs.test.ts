/** Steps of decoding as CUDA graphs, on the processor: a replay of what was recorded gives what a usual step gives. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { addAdapter } from '../../src/models/adapter.js';
import { adapterState, attachAdapter } from '../../src/models/attach.js';
import { DecodeGraphs } from '../../src/models/decode-graphs.js';
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import { floatTypeOf, toFloatType } from '../../src/tensors/float-type.js';
import { cachedAttention, lowRankSum } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { TorchBackend } from '../../src/tensors/torch/backend.js';
import { TorchLibrary } from '../../src/tensors/torch/library.js';
import { requireTorch } from '../../src/tensors/torch/locate.js';
import { limited, tinyDecoder } from '../generation/tiny.js';
import { backendsUnderTest } from '../prerequisites/index.js';
import { EmulatedCuda } from '../tensors/emulated-cuda.js';

describe.runIf(backendsUnderTest().includes('torch'))('with emulated graphs', () => {
  let emulated: EmulatedCuda;
  let plain: () => tf.KernelBackend | Promise<tf.KernelBackend>;
  beforeAll(async () => {
    await initBackend('torch');
    plain = tf.findBackendFactory('torch')!;
    const { libraryFolder, version } = requireTorch();
    emulated = new EmulatedCuda(new TorchLibrary(`${libraryFolder}/libtorch_cpu.so`), {
      device: { type: 'cpu', index: -1 },
      gpu: { index: 0, name: 'emulated', capability: 7.5, memory: 2 ** 34 },
      version,
    });
    tf.removeBackend('torch');
    tf.registerBackend('torch', () => new TorchBackend(emulated));
    await tf.setBackend('torch');
  });
  afterAll(() => {
    tf.removeBackend('torch');
    tf.registerBackend('torch', plain as never);
  });
  afterEach(() => DecodeGraphs.reset());

  const LENGTH = 300;
  const rng = Rng.of(1, 'graphs');

  /** Feeds prompts of different lengths to all slots. */
  function fill(decoder: Decoder, cache: KvCache, lengths: readonly number[]): void {
    const rows = lengths.flatMap((length, slot) => Array.from({ length }, (_, i) => [slot, i] as const));
    const prompts = Rng.of(2, 'prompts');
    const tokens = Int32Array.from(rows, () => prompts.int(0, 9));
    tf.tidy(() => {
      decoder.forwardCached(
        tokens,
        Int32Array.from(rows, ([slot]) => slot),
        Int32Array.from(rows, ([, position]) => position),
        cache,
      );
    });
  }

  function eager(decoder: Decoder, cache: KvCache, feed: [Int32Array, Int32Array, Int32Array]): Float32Array {
    return tf.tidy(
      () => decoder.logits(decoder.forwardCached(...feed, cache), cache).dataSync() as Float32Array,
    );
  }

  /** Whether two lists of numbers are nearly the same. */
  function expectNear(found: Float32Array, expected: Float32Array): void {
    expect(found.length).toBe(expected.length);
    const most = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
    expect(most).toBeLessThan(1e-4); // and no NaN
  }

  /** Gives a decoder an adapter that nothing changes and that is not merged. */
  async function putOnTop(decoder: Decoder): Promise<void> {
    const lora = { rank: 3, alpha: 6, dropout: 0, useRslora: false, useDora: true, init: 'default' as const };
    await addAdapter(decoder, { ...lora, targetModules: ['all-linear'] }, Rng.of(4, 'lora'));
    for (const variable of decoder.trainableVariables().values()) {
      tf.tidy(() => variable.assign(tf.add(variable, 0.05)));
    }
    await attachAdapter(decoder, await adapterState(decoder), { merge: 'never' });
  }

  test('on a GPU what adapters add is computed in the type of the base', () => {
    tf.tidy(() => {
      const draw = (name: string, shape: number[]) => {
        const values = Rng.of(5, name);
        const size = shape.reduce((product, n) => product * n, 1);
        return tf.tensor(
          Float32Array.from({ length: size }, () => values.normal(0, 1)),
          shape,
        );
      };
      const [x, a, b, factor] = [[2, 16], [16, 8], [8, 12], [12]].map((shape, i) => draw(`${i}`, shape)) as [
        tf.Tensor2D,
        tf.Tensor2D,
        tf.Tensor2D,
        tf.Tensor1D,
      ];
      const sum = draw('sum', [2, 12]) as tf.Tensor2D;
      const expected = tf.add(tf.mul(sum, factor), tf.matMul(tf.matMul(x, a), b)).dataSync();
      const terms = [{ sum: toFloatType(sum, 'bfloat16'), b, factor }];
      for (let again = 0; again < 2; again++) {
        const [found] = lowRankSum(toFloatType(x, 'bfloat16'), a, terms);
        expect(floatTypeOf(found!)).toBe('bfloat16');
        const values = found!.dataSync();
        const scale = Math.max(...expected.map(Math.abs));
        expect(Math.max(...expected.map((value, i) => Math.abs(value - values[i]!)))).toBeLessThan(
          0.02 * scale,
        );
        terms[0] = { sum: toFloatType(sum.clone(), 'bfloat16'), b, factor };
      }
    });
  });

  test.each([
    ['as Llama is', {}, false],
    ['with windows and soft caps', limited, false],
    ['with an adapter on top', {}, true],
  ])('a replay is a usual step: %s', async (_, features, hasAdapter) => {
    const decoder = tinyDecoder(3, undefined, undefined, features);
    if (hasAdapter) await putOnTop(decoder);
    const [one, other] = [0, 1].map(() => new KvCache(decoder.config, { slots: 6, maxLength: LENGTH })) as [
      KvCache,
      KvCache,
    ];
    const lengths = [5, 9, 126, 2, 30, 7];
    fill(decoder, one, lengths);
    fill(decoder, other, lengths);
    const live = emulated.liveHandles;
    const graphs = DecodeGraphs.for(decoder, one)!;
    const next = [...lengths];
    const step = (slots: number[]): boolean => {
      const feed = [slots.map(() => rng.int(0, 9)), slots, slots.map((slot) => next[slot]!++)].map((list) =>
        Int32Array.from(list),
      ) as [Int32Array, Int32Array, Int32Array];
      const logits = graphs.logits(...feed);
      const found = (logits?.dataSync() as Float32Array) ?? eager(decoder, one, feed);
      logits?.dispose();
      expectNear(found, eager(decoder, other, feed));
      return logits !== null;
    };
    // two usual steps, then the capture and replays with other tokens, positions and slots
    expect([[0, 1, 3], [1, 0, 3], [0, 3, 1], [4, 5, 0], [3, 1, 5, 0], [5]].map(step)).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(graphs.size).toBe(1);
    // a sequence grows out of a span of 128 positions, between steps of others
    expect(
      [
        [2, 0, 1],
        [2, 0, 1],
        [2, 0, 1],
        [2, 1, 0],
        [2, 4, 0],
        [3, 4, 0],
      ].map(step),
    ).toEqual([true, true, false, false, true, true]);
    expect(graphs.size).toBe(2);
    // another batch size: six rows, padded to eight
    const all = [5, 4, 3, 2, 1, 0];
    expect([all, all, all, all, all].map(step)).toEqual([false, false, true, true, true]);
    expect(emulated.driver.graphs).toBe(3);
    graphs.dispose();
    expect(emulated.driver.graphs).toBe(0);
    expect(emulated.liveHandles - live, 'what a span or a size needs once').toBeLessThan(12);
    one.dispose();
    other.dispose();
    decoder.dispose();
  });

  test.each([
    ['flash, without a window', 8, 'float16', {}],
    ['flash, with a window', 8, 'float16', { window: 3 }],
    ['a mask', 7.5, 'float16', { window: 3 }],
  ] as const)('attention that reads nothing from the host: %s', (_, capability, type, limit) => {
    (emulated.gpu as { capability: number }).capability = capability;
    const of = (shape: number[]) =>
      toFloatType(tf.reshape(tf.sin(tf.range(0, tf.util.sizeFromShape(shape))), shape), type);
    tf.tidy(() => {
      const [q, keys, values] = [of([4, 4, 8]), of([5, 2, 9, 8]), of([5, 2, 9, 8])];
      const [slots, lengths] = [
        [3, 0, 4, 1],
        [8, 1, 5, 3],
      ].map((list) => tf.tensor1d(list, 'int32')) as [tf.Tensor1D, tf.Tensor1D];
      const attend = (within: { span?: number }) =>
        cachedAttention(
          ...([q, keys, values] as [tf.Tensor3D, tf.Tensor4D, tf.Tensor4D]),
          ...([slots, lengths, 0.35] as const),
          { ...limit, ...within },
        ).dataSync() as Float32Array;
      const [expected, found] = [attend({}), attend({ span: 8 })];
      const most = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
      expect(most).toBeLessThan(2e-3);
      expect(Math.max(...expected)).toBeGreaterThan(0.1);
    });
    (emulated.gpu as { capability: number }).capability = 7.5;
  });

  test('what a capture forbids is refused, and decoding goes on without graphs', () => {
    const backend = tf.backend() as TorchBackend;
    const x = tf.tensor1d([1, 2, 3]);
    const attempt = (f: () => tf.Tensor) => () => backend.capture(f);
    const live = emulated.liveHandles;
    expect(attempt(() => tf.tensor1d([...x.dataSync()]))).toThrow('memory of the host cannot be part');
    expect(attempt(() => tf.add(x, tf.tensor1d([4, 5, 6])))).toThrow('memory of the host cannot be part');
    expect(emulated.liveHandles).toBe(live);
    expect(emulated.driver.graphs).toBe(0);

    const decoder = tinyDecoder(3);
    const cache = new KvCache(decoder.config, { slots: 2, maxLength: 20 });
    const graphs = DecodeGraphs.for(decoder, cache)!;
    const feed = (i: number) =>
      [
        [1, 2],
        [0, 1],
        [i, i],
      ].map((list) => Int32Array.from(list)) as [Int32Array, Int32Array, Int32Array];
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    emulated.refuse = 'index_select';
    expect([0, 1, 2, 3].map((i) => graphs.logits(...feed(i)))).toEqual([null, null, null, null]);
    emulated.refuse = undefined;
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]![0]).toContain('index_select cannot be captured');
    warned.mockRestore();
    expect(DecodeGraphs.for(decoder, cache)).toBeUndefined();
    expect(emulated.driver.graphs).toBe(0);
    cache.dispose();
    decoder.dispose();
    x.dispose();
  });

  test('ARCLAB_CUDA_GRAPHS=0 switches them off', () => {
    const decoder = tinyDecoder(3);
    const cache = new KvCache(decoder.config, { slots: 2, maxLength: 20 });
    vi.stubEnv('ARCLAB_CUDA_GRAPHS', '0');
    expect(DecodeGraphs.for(decoder, cache)).toBeUndefined();
    vi.unstubAllEnvs();
    expect(DecodeGraphs.for(decoder, cache)).toBeDefined();
    cache.dispose();
    decoder.dispose();
  });
});
