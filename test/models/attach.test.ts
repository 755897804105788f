/** Adapters that come and go on a base that stays in memory. */
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import type { AdapterState } from '../../src/models/adapter-state.js';
import {
  adapterState,
  attachAdapter,
  bytesToAttach,
  detachAdapter,
  type MergeMode,
} from '../../src/models/attach.js';
import type { Decoder } from '../../src/models/decoder.js';
import { loadDecoder, readAdapter, readAdapterBase } from '../../src/models/load.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { backends } from '../parity/backends.js';
import { expectedOf, fixture, packed, relativeError, useBackend } from '../parity/fixtures.js';

const logitsOf = (decoder: Decoder): Float32Array =>
  tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());

/** Every weight's bytes, by name. */
const weightsOf = (decoder: Decoder): [string, Float32Array][] =>
  Array.from(decoder.weights(), ([name, tensor]) => [name, tensor.dataSync<'float32'>().slice()]);

const adapterOf = (family: string, kind: string): AdapterState =>
  readAdapter(fixture(family, kind), readAdapterBase(fixture(family)));

const adapters = [
  ['qwen2', 'lora'],
  ['qwen2', 'dora'],
  ['llama', 'rslora'],
  ['llama', 'pissa'],
  ['llama', 'pissa-converted'],
] as const;
const modes: MergeMode[] = ['copy', 'never', 'replace'];
const types = (backend: string): FloatType[] => (backend === 'torch' ? ['float32', 'bfloat16'] : ['float32']);

describe.each(backends.flatMap((name) => types(name).map((type) => [name, type] as const)))(
  'on backend %s in %s',
  (backend, floatType) => {
    beforeAll(() => useBackend(backend));

    describe.each(adapters)('%s, %s', (family, kind) => {
      const adapter = adapterOf(family, kind);

      it.each(modes)(
        'merge: %s computes as a load with the adapter, and without it as the base',
        async (merge) => {
          const decoder = await loadDecoder(fixture(family), { floatType });
          const base = { weights: weightsOf(decoder), logits: logitsOf(decoder) };
          const before = { bytes: decoder.bytes, ...tf.memory() };

          await attachAdapter(decoder, adapter, { merge });
          const attached = logitsOf(decoder);
          const loaded = await loadDecoder(fixture(family), {
            adapterPath: fixture(family, kind),
            floatType,
            merge: merge !== 'never',
          });
          expect(attached).toEqual(logitsOf(loaded));
          loaded.dispose();
          expect(attached).not.toEqual(base.logits);
          if (floatType === 'float32') {
            const expected = expectedOf(family, kind.replace('-converted', '')).get('logits')!;
            expect(relativeError(attached, expected)).toBeLessThan(1e-4);
          }
          expect(tf.memory().numTensors > before.numTensors).toBe(merge !== 'replace');

          detachAdapter(decoder);
          expect(weightsOf(decoder)).toEqual(base.weights);
          expect(logitsOf(decoder)).toEqual(base.logits);
          expect(decoder.bytes).toBe(before.bytes);
          expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
          decoder.dispose();
        },
      );
    });

    it.each([
      ['lora', ['_proj']],
      ['dora', ['_proj']],
      ['lora', ['q_proj', 'v_proj', 'up_proj']],
      ['dora', ['k_proj', 'gate_proj', 'down_proj']],
    ] as const)(
      'on top, %s of %s computes as in training, where each is multiplied alone',
      async (kind, ends) => {
        const decoder = await loadDecoder(fixture('qwen2'), { floatType });
        const whole = adapterOf('qwen2', kind);
        const modules = [...whole.modules].filter(([name]) => ends.some((end) => name.endsWith(end)));
        const adapter = { ...whole, modules: new Map(modules) };
        logitsOf(decoder);
        const before = tf.memory().numTensors;
        await attachAdapter(decoder, adapter, { merge: 'never', trainable: true });
        const alone = logitsOf(decoder);
        // one after the other: what was laid out for one is not used for the next
        await attachAdapter(decoder, adapterOf('qwen2', kind === 'lora' ? 'dora' : 'lora'), {
          merge: 'never',
        });
        logitsOf(decoder);
        await attachAdapter(decoder, adapter, { merge: 'never' });
        const together = logitsOf(decoder);
        expect(relativeError(together, alone)).toBeLessThan(floatType === 'float32' ? 1e-5 : 2e-2);
        expect(logitsOf(decoder)).toEqual(together);
        detachAdapter(decoder);
        expect(tf.memory().numTensors).toBe(before);
        decoder.dispose();
      },
    );

    it('takes the bytes that it says', async () => {
      const decoder = await loadDecoder(fixture('qwen2'), { floatType });
      const before = decoder.bytes;
      const perElement = floatType === 'float32' ? 4 : 2;
      const elements = (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48) * 2; // both layers have an adapter everywhere
      for (const [merge, bytes] of [
        ['copy', elements * perElement],
        ['replace', 0],
        ['never', undefined],
      ] as const) {
        const adapter = adapterOf('qwen2', 'lora');
        const predicted = bytesToAttach(decoder, adapter, { merge });
        if (bytes !== undefined) expect(predicted).toBe(bytes);
        await attachAdapter(decoder, adapter, { merge });
        expect(decoder.bytes - before).toBe(predicted);
        detachAdapter(decoder);
      }
      decoder.dispose();
    });
  },
);

describe('on the cpu backend', () => {
  beforeAll(() => useBackend('cpu'));

  it('an adapter takes the place of another, whatever each was merged as', async () => {
    const decoder = await loadDecoder(fixture('qwen2'));
    const [first, second] = [adapterOf('qwen2', 'lora'), adapterOf('qwen2', 'dora')];
    const base = weightsOf(decoder);
    await attachAdapter(decoder, second, { merge: 'copy' });
    const alone = logitsOf(decoder);
    for (const merge of modes) {
      await attachAdapter(decoder, first, { merge });
      await attachAdapter(decoder, second, { merge: 'copy' });
      expect(logitsOf(decoder), merge).toEqual(alone);
      expect(decoder.lora).toEqual(second.options);
    }
    detachAdapter(decoder);
    expect(decoder.lora).toBeUndefined();
    expect(weightsOf(decoder)).toEqual(base);
    decoder.dispose();
  });

  it.each(['default', 'pissa'] as const)(
    'what was trained (%s) moves to another decoder as a value, and leaves its own base as it was',
    async (init) => {
      const lora = { rank: 3, alpha: 4, dropout: 0, useRslora: false, useDora: false, init };
      const trained = await loadDecoder(fixture('llama'), { lora, rng: Rng.of(3) });
      for (const variable of trained.trainableVariables().values()) {
        tf.tidy(() => variable.assign(tf.add(variable, 0.05)));
      }
      const state = await adapterState(trained);
      const logits = logitsOf(trained);
      const other = await loadDecoder(fixture('llama'));
      const base = weightsOf(other);
      await attachAdapter(other, state, { merge: 'never' });
      expect(relativeError(logitsOf(other), logits)).toBeLessThan(2e-5);
      await attachAdapter(other, state, { merge: 'never', trainable: true });
      expect(logitsOf(other)).toEqual(logits);
      expect([...other.trainableVariables().keys()]).toEqual([...trained.trainableVariables().keys()]);
      expect(await adapterState(other)).toEqual({ ...state, options: other.lora });
      for (const decoder of [other, trained]) {
        detachAdapter(decoder);
        expect(weightsOf(decoder)).toEqual(base);
        decoder.dispose();
      }
    },
  );

  it.each(modes)('merge: %s without enough memory leaves the base as it was', async (merge) => {
    const decoder = await loadDecoder(fixture('llama'));
    const [base, before] = [weightsOf(decoder), tf.memory().numTensors];
    const backend = tf.backend();
    const write = backend.write.bind(backend);
    onTestFinished(() => void vi.restoreAllMocks());
    for (const kind of ['lora', 'dora', 'pissa']) {
      const adapter = adapterOf('llama', kind);
      for (const room of [0, 1, 6, 9]) {
        let left = room;
        const spy = vi.spyOn(backend, 'write').mockImplementation((...args) => {
          if (--left < 0) throw new Error('out of memory');
          return write(...args);
        });
        let message = '';
        try {
          await attachAdapter(decoder, adapter, { merge });
        } catch (error) {
          message = (error as Error).message;
        }
        spy.mockRestore();
        expect(message, `${kind} with room for ${room}`).toBe('out of memory');
        detachAdapter(decoder);
        expect(tf.memory().numTensors).toBe(before);
        expect(weightsOf(decoder)).toEqual(base);
      }
    }
    decoder.dispose();
  });

  it('an adapter for another shape is refused before anything changes', async () => {
    const decoder = await loadDecoder(fixture('qwen2'));
    const adapter = adapterOf('qwen2', 'lora');
    const base = weightsOf(decoder);
    const [name, module] = [...adapter.modules][3]!;
    const narrow = { ...module, a: { ...module.a, shape: [module.a.shape[0]!, 7] } };
    for (const [modules, message] of [
      [
        new Map([...adapter.modules, [name, narrow]]),
        `${name} is [${module.b.shape[0]},32], the adapter's is [${module.b.shape[0]},7]`,
      ],
      [new Map([['model.layers.9.mlp.up_proj', module]]), 'no projection model.layers.9.mlp.up_proj'],
    ] as const) {
      const attached = attachAdapter(decoder, { ...adapter, modules }, { merge: 'copy' });
      await expect(attached).rejects.toThrow(message);
    }
    const trained = attachAdapter(decoder, adapter, { merge: 'copy', trainable: true });
    await expect(trained).rejects.toThrow('an adapter that is trained cannot be merged');
    expect(weightsOf(decoder)).toEqual(base);
    decoder.dispose();
  });
});
