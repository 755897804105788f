/** The code for GPUs, on the processor: the same numbers as the code for the processor, through emulated operations. */
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { toFloatType } from '../../src/tensors/float-type.js';
import {
  type AttentionLimits,
  cachedAttention,
  kvCacheWrite,
  packedAttention,
  rmsNorm,
} from '../../src/tensors/ops/index.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { TorchBackend } from '../../src/tensors/torch/backend.js';
import { attentionKernel } from '../../src/tensors/torch/kernels/attention-kernel.js';
import { TorchLibrary } from '../../src/tensors/torch/library.js';
import { requireTorch } from '../../src/tensors/torch/locate.js';
import { backendsUnderTest, programUnderTest } from '../prerequisites/index.js';
import { EmulatedCuda } from './emulated-cuda.js';
import { normal, type PlainTensor } from './helpers.js';

const gpu = (capability: number) => ({ index: 0, name: 'emulated', capability, memory: 2 ** 34 });

describe.runIf(backendsUnderTest().includes('torch'))('with emulated CUDA operations', () => {
  let library: TorchLibrary;
  const emulate = (capability: number): EmulatedCuda =>
    new EmulatedCuda(library, {
      device: { type: 'cpu', index: -1 },
      gpu: gpu(capability),
      version: requireTorch().version,
    });
  beforeAll(async () => {
    await initBackend('torch');
    library = new TorchLibrary(`${requireTorch().libraryFolder}/libtorch_cpu.so`);
  });

  /** Runs on the CPU's kernels, then on those for a GPU of a capability. */
  async function both(
    capability: number,
    inputs: readonly PlainTensor[],
    type: FloatType,
    f: (...tensors: tf.Tensor[]) => tf.Tensor[],
  ): Promise<{ cpu: number[][]; cuda: number[][]; emulated: EmulatedCuda }> {
    const run = () =>
      tf
        .tidy(() => f(...inputs.map(({ values, shape }) => toFloatType(tf.tensor(values, shape), type))))
        .map((tensor) => {
          const values = Array.from(tensor.dataSync());
          tensor.dispose();
          return values;
        });
    const plain = tf.findBackendFactory('torch')!;
    const cpu = run();
    const emulated = emulate(capability);
    tf.removeBackend('torch');
    tf.registerBackend('torch', () => new TorchBackend(emulated));
    await tf.setBackend('torch');
    const cuda = run();
    tf.removeBackend('torch');
    tf.registerBackend('torch', plain);
    await tf.setBackend('torch');
    return { cpu, cuda, emulated };
  }

  function expectNear(actual: number[][], expected: number[][], relative: number): void {
    for (const [i, values] of expected.entries()) {
      const size = Math.max(...values.map(Math.abs));
      const difference = Math.max(...values.map((value, j) => Math.abs(value - actual[i]![j]!)));
      expect(difference / size, `#${i}`).toBeLessThan(relative);
    }
  }

  const recorded: EmulatedCuda['calls'] = [];
  const cases = [
    ['flash', 8, 'bfloat16', 0.02],
    ['flash', 9, 'float16', 0.003],
    ['efficient', 7.5, 'float16', 0.003],
    ['efficient', 9, 'float32', 1e-5],
  ] as const;

  test.each(cases)(
    '%s on capability %f in %s: packed samples, grouped heads, gradients',
    async (kernel, capability, type, relative) => {
      const rng = Rng.of(1, 'packed', kernel);
      const segments = Int32Array.from([0, 5, 5, 6, 17]);
      const inputs = [
        normal(rng, [17, 6, 8]),
        normal(rng, [17, 2, 8]),
        normal(rng, [17, 2, 8]),
        normal(rng, [17, 6, 8]),
      ];
      const { cpu, cuda, emulated } = await both(capability, inputs, type, (...tensors) => {
        const [q, k, v, weight] = tensors as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        const out = packedAttention(q, k, v, segments, 0.35);
        const loss = (...x: tf.Tensor[]) =>
          tf.sum(
            tf.mul(
              packedAttention(x[0] as tf.Tensor3D, x[1] as tf.Tensor3D, x[2] as tf.Tensor3D, segments, 0.35),
              weight,
            ),
          ) as tf.Scalar;
        return [out, ...tf.grads(loss)([q, k, v])];
      });
      expectNear(cuda, cpu, relative);
      expect(new Set(emulated.calls.map(({ name }) => name))).toEqual(
        new Set([`_${kernel}_attention_forward`, `_${kernel}_attention_backward`]),
      );
      expect(emulated.liveHandles, 'the offsets stay as long as their list').toBe(1);
      recorded.push(...emulated.calls);
    },
  );

  test.each(cases)(
    '%s on capability %f in %s: a cache, read by prompts and by single rows',
    async (kernel, capability, type, relative) => {
      const rng = Rng.of(2, 'cached', kernel);
      // slot 2 reads five tokens after three, slots 0 and 3 one each, slot 1 begins with two
      const slots = [2, 2, 2, 2, 2, 0, 3, 1, 1];
      const lengths = [4, 5, 6, 7, 8, 7, 2, 1, 2];
      const rows = slots.length;
      const inputs = [
        normal(rng, [rows, 4, 8]),
        normal(rng, [4, 2, 9, 8]),
        normal(rng, [4, 2, 9, 8]),
        normal(rng, [rows, 2, 8]),
      ];
      for (const only of [slots.map((_, i) => i), [5, 6]]) {
        const { cpu, cuda, emulated } = await both(capability, inputs, type, (...tensors) => {
          const [q, keys, values, fresh] = tensors as [tf.Tensor3D, tf.Tensor4D, tf.Tensor4D, tf.Tensor3D];
          const at = tf.tensor1d(only, 'int32');
          const of = tf.tensor1d(
            only.map((i) => slots[i]!),
            'int32',
          );
          const long = tf.tensor1d(
            only.map((i) => lengths[i]!),
            'int32',
          );
          const positions = tf.tensor1d(
            only.map((i) => lengths[i]! - 1),
            'int32',
          );
          const cache = tf.variable(keys);
          kvCacheWrite(cache, tf.gather(fresh, at), of, positions);
          const out = cachedAttention(
            tf.gather(q, at),
            cache as unknown as tf.Tensor4D,
            values,
            of,
            long,
            0.35,
          );
          cache.dispose();
          return [out];
        });
        expectNear(cuda, cpu, relative);
        const called = emulated.calls.filter(({ name }) => name === '_flash_attention_forward').length;
        expect(called, 'one call for all').toBe(kernel === 'flash' ? 1 : 0);
        recorded.push(...emulated.calls);
      }
    },
  );

  test.each(cases)(
    '%s on capability %f in %s: prompts that go on after others, alone in the last block of a kernel, and by pieces',
    async (_, capability, type, relative) => {
      const rng = Rng.of(6, 'prompts');
      // the last of 65 rows is alone in its block; of the second, the mask of a piece begins between multiples of eight
      const prompts: [rows: number, first: number, window?: number][] = [
        [65, 5],
        [61, 5, 16],
        [33, 1],
      ];
      for (const [rows, first, window] of prompts) {
        const inputs = [normal(rng, [rows, 4, 8]), normal(rng, [2, 2, 70, 8]), normal(rng, [2, 2, 70, 8])];
        const { cpu, cuda } = await both(capability, inputs, type, (...tensors) => {
          const [q, keys, values] = tensors as [tf.Tensor3D, tf.Tensor4D, tf.Tensor4D];
          const of = tf.tensor1d(new Array<number>(rows).fill(1), 'int32');
          const long = tf.tensor1d(
            Array.from({ length: rows }, (_, i) => first + i),
            'int32',
          );
          return [cachedAttention(q, keys, values, of, long, 0.35, window === undefined ? {} : { window })];
        });
        expectNear(cuda, cpu, relative);
      }
    },
  );

  /** As the layers of a model may have them. */
  const limits: [string, AttentionLimits][] = [
    ['a window', { window: 3 }],
    ['capped scores', { softCap: 1.5 }],
    ['capped scores and a window', { softCap: 1.5, window: 2 }],
  ];

  test.each(cases.flatMap((one) => limits.map(([what, limit]) => [what, limit, ...one] as const)))(
    '%s, %o: %s on capability %f in %s, packed and cached',
    async (_, limit, kernel, capability, type, relative) => {
      const rng = Rng.of(4, 'limits', kernel);
      const segments = Int32Array.from([0, 5, 6, 17]);
      const slots = [2, 2, 2, 2, 2, 0, 3, 1, 1];
      const lengths = [4, 5, 6, 7, 8, 7, 2, 1, 2];
      const inputs = [
        normal(rng, [17, 6, 8]),
        normal(rng, [17, 2, 8]),
        normal(rng, [17, 2, 8]),
        normal(rng, [17, 6, 8]),
        normal(rng, [4, 2, 9, 8]),
        normal(rng, [4, 2, 9, 8]),
      ];
      const { cpu, cuda, emulated } = await both(capability, inputs, type, (...tensors) => {
        const [q, k, v, weight, keys, values] = tensors as [
          ...[tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D],
          ...[tf.Tensor4D, tf.Tensor4D],
        ];
        const attend = (x: tf.Tensor[]) =>
          packedAttention(...(x as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D]), segments, 0.35, limit);
        const loss = (...x: tf.Tensor[]) => tf.sum(tf.mul(attend(x), weight)) as tf.Scalar;
        const rows = tf.slice(q, [0, 0, 0], [slots.length, -1, -1]);
        const [of, long] = [slots, lengths].map((list) => tf.tensor1d(list, 'int32')) as [
          tf.Tensor1D,
          tf.Tensor1D,
        ];
        const cached = cachedAttention(rows, keys, values, of, long, 0.35, limit);
        return [attend([q, k, v]), ...tf.grads(loss)([q, k, v]), cached];
      });
      expectNear(cuda, cpu, relative);
      const expected = limit.softCap ? [] : [`_${kernel}_attention_forward`, `_${kernel}_attention_backward`];
      expect(new Set(emulated.calls.map(({ name }) => name))).toEqual(new Set(expected));
      recorded.push(...emulated.calls);
    },
  );

  test.each(cases)(
    '%s on capability %f in %s: RMSNorm of weights around zero',
    async (_, capability, type, relative) => {
      const rng = Rng.of(5, 'norm');
      const inputs = [normal(rng, [5, 16]), normal(rng, [16]), normal(rng, [5, 16])];
      const { cpu, cuda, emulated } = await both(capability, inputs, type, (...tensors) => {
        const [x, weight, factor] = tensors as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D];
        const norm = (y: tf.Tensor) => rmsNorm(y as tf.Tensor2D, weight, 1e-5, { unitOffset: true });
        return [norm(x), tf.grad((y: tf.Tensor) => tf.sum(tf.mul(norm(y), factor)))(x)];
      });
      expectNear(cuda, cpu, relative);
      recorded.push(...emulated.calls);
    },
  );

  test.each(cases)(
    '%s on capability %f in %s: RMSNorm and its gradient in one kernel each',
    async (_, capability, type, relative) => {
      const rng = Rng.of(3, 'norm');
      const inputs = [normal(rng, [5, 16]), normal(rng, [16]), normal(rng, [5, 16])];
      const { cpu, cuda, emulated } = await both(capability, inputs, type, (...tensors) => {
        const [x, weight, factor] = tensors as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D];
        const loss = (y: tf.Tensor) =>
          tf.sum(tf.mul(rmsNorm(y as tf.Tensor2D, weight, 1e-5), factor)) as tf.Scalar;
        return [rmsNorm(x, weight, 1e-5), tf.grad(loss)(x)];
      });
      expectNear(cuda, cpu, relative);
      expect(emulated.calls.map(({ name }) => name)).toContain('_fused_rms_norm_backward');
      expect(emulated.liveHandles).toBe(0);
      recorded.push(...emulated.calls);
    },
  );

  test('the kernel is the fastest that the GPU and the type allow', () => {
    const choose = (capability: number, type: FloatType, headDim: number) =>
      attentionKernel(emulate(capability), type, headDim);
    expect(choose(8, 'bfloat16', 64)).toBe('flash');
    expect(choose(9, 'float16', 128)).toBe('flash');
    expect(choose(9, 'float32', 64)).toBe('efficient');
    expect(choose(7.5, 'float16', 64)).toBe('efficient');
    expect(choose(9, 'bfloat16', 512)).toBe('efficient');
    expect(choose(9, 'bfloat16', 12)).toBe('efficient');
  });

  const python = programUnderTest('python with torch');
  test.skipIf(python === undefined)(
    'torch itself takes the same arguments, and gives results of the same shapes',
    () => {
      expect(recorded.length).toBeGreaterThan(10);
      const script = new URL('./meta_calls.py', import.meta.url).pathname;
      const answer = execFileSync(python as string, [script], {
        input: JSON.stringify(recorded),
        encoding: 'utf8',
      });
      const shapes = JSON.parse(answer) as { name: string; outputs: (number[] | null)[] }[];
      for (const [i, { name, outputs }] of recorded.entries()) {
        expect(shapes[i]!.name).toBe(name);
        const used =
          { _flash_attention_forward: 2, _efficient_attention_forward: 2 }[name] ??
          (name.includes('norm') ? 1 : 3);
        if (shapes[i]!.outputs.length > 0) {
          expect(shapes[i]!.outputs.slice(0, used), name).toEqual(outputs.slice(0, used));
        }
      }
    },
  );
});
