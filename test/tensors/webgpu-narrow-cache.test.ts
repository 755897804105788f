/** A KV cache that the backend `webgpu` keeps in two bytes a number: against plain forms and models on rounded numbers. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { generate } from '../../src/generation/engine.js';
import { newCache, withinMemory } from '../../src/generation/memory.js';
import type { KvCache } from '../../src/models/kv-cache.js';
import { loadDecoder } from '../../src/models/load.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/models/number-formats.js';
import { readSafetensors, writeSafetensors } from '../../src/models/safetensors.js';
import { initBackend } from '../../src/tensors/backend.js';
import { OutOfMemoryError } from '../../src/tensors/errors.js';
import { floatTypeOf, zerosOfType } from '../../src/tensors/float-type.js';
import * as ops from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import type { WasmBackend } from '../../src/tensors/wasm/backend.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { fixture, meta } from '../parity/fixtures.js';
import { softwareAdapter, webGpuUnderTest } from '../prerequisites/index.js';
import { expectClose, normal, type PlainTensor, runOn } from './helpers.js';

const types = [
  ['float16', toFloat16, fromFloat16],
  ['bfloat16', toBfloat16, fromBfloat16],
] as const;

describe.runIf(webGpuUnderTest().length > 0).each(types)('a cache in %s', (type, narrow, widen) => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-rounded-'));
  beforeAll(async () => {
    await initBackend('webgpu', { device: softwareAdapter() });
    // products of both factors in float16 have tests of their own
    (tf.backend() as unknown as WebGpuBackend).halfForm = undefined;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const rounded = (values: ArrayLike<number>): Float32Array => widen(narrow(Float32Array.from(values)));
  const memory = () => tf.memory() as unknown as Record<'numBytesInGPU' | 'numBytesAllocatedInGPU', number>;
  const ids = (values: readonly number[]) => tf.tensor1d(Int32Array.from(values), 'int32') as tf.Tensor1D;

  it('has what was written, copied and cropped, rounded, and attention to it is that to these numbers', async () => {
    const rng = Rng.of(41, type);
    for (let round = 0; round < 4; round++) {
      const [keyHeads, sharing, d] = [rng.int(1, 3), rng.pick([1, 2, 20]), rng.pick([2, 6, 34])];
      const [slots, length] = [rng.int(2, 4), rng.int(30, 70)];
      const places = rng.sample(
        [...Array(slots * length).keys()],
        rng.int(slots * length - 9, slots * length),
      );
      // a second row for some of the places, as a slot that was cropped is fed again
      const again = places.slice(0, 5);
      const [from, to] = rng.sample([...Array(slots).keys()], 2) as [number, number];
      const start = rng.int(0, 9);
      const range = { from, to, start, end: rng.int(start + 1, length) };
      // prompts that are read, and single tokens
      const rows: [number, number][] = [];
      for (let i = rng.int(1, 4); i > 0; i--) {
        const [slot, count] = [rng.int(0, slots - 1), rng.pick([1, 1, 3, rng.int(1, 30)])];
        const first = rng.int(1, length - count);
        for (let j = 0; j < count; j++) rows.push([slot, first + j]);
      }
      const limits = rng.pick([{}, { window: rng.int(1, 40) }, { softCap: 1.5 }]);
      const inputs = [
        normal(rng, [rows.length, keyHeads * sharing, d], 2),
        ...[0, 1].flatMap(() => [
          normal(rng, [places.length, keyHeads, d]),
          normal(rng, [again.length, keyHeads, d]),
        ]),
      ];
      const f = (q: tf.Tensor, ...given: tf.Tensor[]): tf.Tensor[] => {
        const shape = [slots, keyHeads, length, d];
        const isNarrow = tf.getBackend() === 'webgpu';
        const caches = [0, 1].map((i) => {
          const cache = tf.variable(zerosOfType(shape, isNarrow ? type : 'float32'), false) as tf.Variable;
          for (const [at, written] of [places, again].entries()) {
            const [slotIds, positions] = [
              ids(written.map((place) => Math.floor(place / length))),
              ids(written.map((place) => place % length)),
            ];
            ops.kvCacheWrite(cache, given[2 * i + at] as tf.Tensor3D, slotIds, positions);
          }
          ops.kvCacheCopy(cache, range);
          expect(floatTypeOf(cache)).toBe(isNarrow ? type : 'float32');
          return cache as tf.Variable & tf.Tensor4D;
        });
        const [keys, values] = caches as unknown as [tf.Tensor4D, tf.Tensor4D];
        const [slotIds, lengths] = [ids(rows.map(([slot]) => slot)), ids(rows.map(([, seen]) => seen))];
        const out = ops.cachedAttention(q as tf.Tensor3D, keys, values, slotIds, lengths, d ** -0.5, limits);
        const results = [out, ...caches.map((cache) => tf.mul(cache, 1))];
        tf.dispose(caches);
        return results;
      };
      const asKept = (x: PlainTensor): PlainTensor => ({ ...x, values: [...rounded(x.values)] });
      const expected = await runOn('cpu', [inputs[0]!, ...inputs.slice(1).map(asKept)], (...xs) =>
        ops.withPlainKernels(() => f(xs[0]!, ...xs.slice(1))),
      );
      const actual = await runOn('webgpu', inputs, (...xs) => f(xs[0]!, ...xs.slice(1)));
      const what = JSON.stringify({ round, keyHeads, sharing, d, slots, length, ...limits });
      expectClose(actual[0]!, expected[0]!, 3e-5, what);
      for (const i of [1, 2]) expect(actual[i], what).toEqual(expected[i]);
    }
  });

  it('takes half the memory, also while it is made, and says so', async () => {
    await initBackend('webgpu');
    const bytesOf = async (floatType: 'float32' | typeof type) => {
      const decoder = await loadDecoder(fixture('qwen2'), { floatType });
      const before = memory();
      expect(decoder.keptType).toBe(floatType);
      const cache = newCache(decoder, { slots: 8, maxLength: 4096 });
      const result = { own: cache.bytes, taken: 0, made: 0 };
      result.taken = memory().numBytesInGPU - before.numBytesInGPU;
      result.made = memory().numBytesAllocatedInGPU - before.numBytesAllocatedInGPU;
      cache.dispose();
      expect(memory().numBytesInGPU).toBe(before.numBytesInGPU);
      decoder.dispose();
      return result;
    };
    const [narrow, whole] = [await bytesOf(type), await bytesOf('float32')];
    expect(narrow.own).toBe(whole.own / 2);
    expect(narrow.taken).toBe(narrow.own);
    expect(narrow.made).toBeLessThanOrEqual(narrow.own);
    expect(whole.taken).toBe(whole.own);
    const zeros = zerosOfType([2, 3, 5, 3], type);
    expect(floatTypeOf(zeros)).toBe('float32');
    zeros.dispose();
  });

  it('where it does not fit, no narrower type is advised', () => {
    const said = (keptType: 'float32' | typeof type): string => {
      try {
        withinMemory({ keptType }, { slots: 3, maxLength: 100 }, () => {
          throw new OutOfMemoryError('out of memory');
        });
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    expect(said(type)).toMatch(/`batchSize` \(3 now\)/);
    expect(said(type)).not.toMatch(/dtype/);
    expect(said('float32')).toMatch(/`dtype: bfloat16`/);
  });

  /** Runs `f` with rows rounded that `wasm` writes into its caches. */
  async function withRoundedCache<T>(f: () => Promise<T>): Promise<T> {
    await initBackend('wasm');
    const { kernelFunc, ...entry } = tf.getKernel('KvCacheWrite', 'wasm');
    const register = (own: tf.KernelFunc) => {
      tf.unregisterKernel('KvCacheWrite', 'wasm');
      tf.registerKernel({ ...entry, kernelFunc: own });
    };
    register((call) => {
      const rows = (call.backend as WasmBackend).view(call.inputs.rows as tf.TensorInfo);
      rows.set(rounded(rows));
      return kernelFunc(call);
    });
    try {
      return await f();
    } finally {
      register(kernelFunc);
    }
  }

  it.each(['qwen2', 'gemma2'])('decodes with it as a model of rounded numbers does: %s', async (family) => {
    const path = mkdtempSync(join(folder, family));
    copyFileSync(fixture(family, 'config.json'), join(path, 'config.json'));
    const tensors = [...readSafetensors(fixture(family, 'model.safetensors'))];
    const asKept = tensors.map(([name, tensor]): [string, typeof tensor] => [
      name,
      { ...tensor, values: tensor.shape.length === 2 ? rounded(tensor.values) : tensor.values },
    ]);
    writeSafetensors(join(path, 'model.safetensors'), asKept);

    const [tokens] = meta.sequences as [number[]];
    const results = async (backend: string, from: string, floatType: 'float32' | typeof type) => {
      await initBackend(backend);
      const decoder = await loadDecoder(from, { floatType });
      const cache: KvCache = newCache(decoder, { slots: 2, maxLength: tokens.length });
      const rows: number[] = [];
      for (const [start, end] of [[0, 4], ...tokens.slice(4).map((_, i) => [4 + i, 5 + i])] as [
        number,
        number,
      ][]) {
        const n = end - start;
        const positions = Int32Array.from({ length: n }, (_, i) => start + i);
        const fed = Int32Array.from(tokens.slice(start, end));
        const logits = tf.tidy(() =>
          decoder.logits(decoder.forwardCached(fed, new Int32Array(n).fill(1), positions, cache)),
        );
        rows.push(...(await logits.data<'float32'>()));
        logits.dispose();
      }
      cache.dispose();
      // several samples of a prompt are copies of its slot
      const tokenizer = {
        vocabSize: 96,
        stopIds: [],
        encode: () => [],
        decode: () => '',
        tokenText: () => '',
      };
      const requests = meta.sequences.map((sequence, i) => ({
        tokens: sequence,
        samples: 2,
        stream: `${i}`,
      }));
      const answers = await generate(decoder, tokenizer, requests, {
        maxNewTokens: 6,
        temperature: 1,
        seed: 2,
        batchSize: 3,
      });
      decoder.dispose();
      return { rows, answers };
    };
    const expected = await withRoundedCache(() => results('wasm', path, 'float32'));
    const unrounded = await results('wasm', path, 'float32');
    const actual = await results('webgpu', fixture(family), type);
    const distance = (rows: number[]) => Math.hypot(...rows.map((value, i) => value - expected.rows[i]!));
    expect(distance(unrounded.rows)).toBeGreaterThan(0.001);
    // a number between two that the type has may be rounded to either
    expect(distance(actual.rows)).toBeLessThan(0.2 * distance(unrounded.rows));
    for (const [i, answers] of expected.answers.entries()) {
      const same = answers.map((answer) => ({ ...answer, logProb: expect.closeTo(answer.logProb, 3) }));
      expect(actual.answers[i]).toEqual(same);
    }
  });
});
