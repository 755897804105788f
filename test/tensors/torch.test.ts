import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import { deviceName, parseDevice } from '../../src/tensors/device.js';
import { OutOfMemoryError } from '../../src/tensors/errors.js';
import { frozenLinear } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import {
  NO_MESSAGE,
  TorchError,
  torchFailure,
  UnknownOperationError,
} from '../../src/tensors/torch/errors.js';
import { chooseDevice, type Gpu } from '../../src/tensors/torch/gpus.js';
import { readInstalledSchemas, reconcile, resolveSchemas } from '../../src/tensors/torch/installed.js';
import { TorchLibrary } from '../../src/tensors/torch/library.js';
import { inspectTorchFolder, requireTorch, type TorchInstallation } from '../../src/tensors/torch/locate.js';
import { parseSchema, schemas } from '../../src/tensors/torch/schemas.js';
import { backendsUnderTest } from '../prerequisites/index.js';

describe('schemas', () => {
  test('types, lists and optionals are told apart', () => {
    const schema = parseSchema(
      'op.out(Tensor(a!) self, Tensor?[] indices, int[1]? dim, SymInt k=1, *, float? scale=None) -> (Tensor, Tensor)',
    );
    expect(schema).toMatchObject({ name: 'aten::op', overload: 'out' });
    expect(schema.returns.map(({ type }) => type)).toEqual(['Tensor', 'Tensor']);
    expect(schema.arguments).toEqual([
      { type: 'Tensor', list: false, optional: false, optionalElements: false },
      { type: 'Tensor', list: true, optional: false, optionalElements: true },
      { type: 'int', list: true, optional: true, optionalElements: false },
      { type: 'int', list: false, optional: false, optionalElements: false },
      { type: 'float', list: false, optional: true, optionalElements: false },
    ]);
    expect(parseSchema('op(int[] dim=[], bool keepdim=False) -> ()')).toMatchObject({ returns: [] });
    expect(parseSchema('op(int[] dim=[], bool keepdim=False) -> ()').arguments).toHaveLength(2);
  });
});

describe('an operation that the installed torch has in another form', () => {
  const ours = parseSchema('op(Tensor self, *, float? scale=None, Tensor? used=None) -> (Tensor, int)');

  test.each([
    [
      'more optional arguments',
      'op(Tensor self, *, float? scale=None, Tensor? used=None, int? n=None) -> (Tensor, int)',
    ],
    ['fewer of them', 'op(Tensor self, *, float? scale=None) -> (Tensor, int)'],
  ])('%s: is encoded as it wants', (_, text) => {
    expect(reconcile(ours, parseSchema(text))).toEqual(parseSchema(text));
  });

  test.each([
    [
      'another argument that must be given',
      'op(Tensor self, Tensor other, *, float? scale=None) -> (Tensor, int)',
    ],
    ['another type', 'op(Tensor self, *, int? scale=None, Tensor? used=None) -> (Tensor, int)'],
    ['another result', 'op(Tensor self, *, float? scale=None, Tensor? used=None) -> (Tensor, Tensor)'],
    [
      'a new argument without None',
      'op(Tensor self, *, float? scale=None, Tensor? used=None, bool b=False) -> (Tensor, int)',
    ],
  ])('%s: is not called', (_, text) => {
    expect(reconcile(ours, parseSchema(text))).toBeUndefined();
  });

  test('is named in one line when it is called', () => {
    const error = new UnknownOperationError('op', '2.9.0');
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toBe(
      'torch 2.9.0 has no operation op of the form that is known here; use a torch from 2.10 to 2.14, or another `backend`',
    );
  });
});

describe('what torch says of an error', () => {
  test.each([
    'CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.19 GiB',
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes",
    'CUDA error: out of memory',
    'CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`',
  ])('%s: is about memory', (message) => {
    expect(torchFailure('mm', message, '2.13.0')).toBeInstanceOf(OutOfMemoryError);
  });

  test('a release that says nothing is believed to be out of memory when hardly any is left', () => {
    expect(torchFailure('mm', NO_MESSAGE, '2.11.0', true)).toBeInstanceOf(OutOfMemoryError);
    expect(torchFailure('mm', NO_MESSAGE, '2.11.0', false)).toBeInstanceOf(TorchError);
    expect(torchFailure('mm', 'shapes cannot be multiplied', '2.13.0', true)).toBeInstanceOf(TorchError);
  });
});

describe('choosing a device', () => {
  const gpu = (index: number): Gpu => ({ index, name: 'Test GPU', capability: 8, memory: 2 ** 34 });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-device-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const torch = (cuda: boolean): TorchInstallation => {
    if (cuda) writeFileSync(join(folder, 'libtorch_cuda.so'), '');
    return { libraryFolder: folder, version: '2.13.0', source: 'a test' };
  };
  const cuda = (index: number) => ({ type: 'cuda', index }) as const;

  test('the first GPU unless another is asked for, the processor where there is none', () => {
    const gpus = { gpus: [gpu(0), gpu(1)] };
    expect(chooseDevice(undefined, torch(false), gpus).device).toEqual({ type: 'cpu', index: -1 });
    expect(chooseDevice(undefined, torch(true), gpus)).toEqual({ device: cuda(0), gpu: gpu(0) });
    expect(chooseDevice(cuda(1), torch(true), gpus)).toEqual({ device: cuda(1), gpu: gpu(1) });
    expect(chooseDevice({ type: 'cpu', index: -1 }, torch(true), gpus).gpu).toBeUndefined();
    expect(chooseDevice(undefined, torch(true), { gpus: [], absent: 'none' }).device.type).toBe('cpu');
  });

  test('CUDA that cannot be had is refused with what was found', () => {
    const none = { gpus: [], absent: 'no NVIDIA driver was found (libcuda.so.1)' };
    expect(() => chooseDevice(cuda(0), torch(false), none)).toThrow(
      /^`device: cuda:0`: torch 2\.13\.0 of a test \(.*\) is built for the processor only; install a CUDA build/,
    );
    expect(() => chooseDevice(cuda(0), torch(true), none)).toThrow(
      /^`device: cuda:0`: no NVIDIA driver was found \(libcuda\.so\.1\); found torch 2\.13\.0 of a test/,
    );
    expect(() => chooseDevice(cuda(7), torch(true), { gpus: [gpu(0)] })).toThrow(
      '`device: cuda:7`: no such GPU. There are: cuda:0 (Test GPU)',
    );
  });

  test('names are read, and others refused', async () => {
    expect([parseDevice('cpu'), parseDevice('cuda'), parseDevice('cuda:2')].map(deviceName)).toEqual([
      'cpu',
      'cuda:0',
      'cuda:2',
    ]);
    for (const name of ['gpu', 'cuda:', 'cuda:x', 'CPU', '']) {
      expect(() => parseDevice(name)).toThrow(`\`device\`: expected cpu, cuda or cuda:<n>, found "${name}"`);
    }
    await expect(initBackend('wasm', { device: 'cuda' })).rejects.toThrow(
      '`device: cuda`: the backend wasm has no GPUs; choose `backend: torch`, or `device: cpu`',
    );
  });
});

describe('finding libtorch', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'arclab-torch-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function install(version: string): TorchInstallation | null {
    mkdirSync(join(folder, 'lib'), { recursive: true });
    writeFileSync(join(folder, 'lib', 'libtorch_cpu.so'), '');
    writeFileSync(join(folder, 'version.py'), `__version__ = '${version}'\n`);
    return inspectTorchFolder(folder, 'a test');
  }

  test('the package and its lib folder are the same installation', () => {
    const found = install('2.13.0+cpu');
    expect(found).toEqual({ libraryFolder: join(folder, 'lib'), version: '2.13.0+cpu', source: 'a test' });
    expect(inspectTorchFolder(join(folder, 'lib'), 'a test')).toEqual(found);
    expect(inspectTorchFolder(tmpdir(), 'a test')).toBeNull();
  });

  test.each(['2.9.1', '1.13.0', '2.9.0+cu128'])('%s is refused, and is told why', (version) => {
    expect(install(version)?.refused).toBe(`torch ${version} is too old: 2.10 or later is needed`);
  });

  test.each(['2.10.0', '2.14.1+cu130', '3.0.0'])('%s is taken', (version) => {
    expect(install(version)?.refused).toBeUndefined();
  });
});

describe.runIf(backendsUnderTest().includes('torch'))('on the installed torch', () => {
  test('every schema is the one of its own native_functions.yaml', () => {
    const installed = readInstalledSchemas(requireTorch().libraryFolder);
    expect(installed?.size).toBeGreaterThan(50);
    const lacking = [...resolveSchemas(installed)].filter(([, schema]) => schema === null);
    expect(lacking).toEqual([]);
    const { version } = requireTorch();
    for (const [name, text] of installed as Map<string, string>) {
      // what a later release has added at the end, we do not name
      if (/^2\.1[0-1]\./.test(version) || name !== '_flash_attention_forward') {
        const { arguments: slots, returns } = parseSchema(schemas[name as keyof typeof schemas]);
        expect(parseSchema(text), name).toMatchObject({ arguments: slots, returns });
      }
    }
  });

  test('an error carries the name of the operation and what torch says', async () => {
    await initBackend('torch');
    expect(() =>
      tf.matMul(tf.zeros([2, 3]), tf.gather(tf.zeros([4, 3]), tf.tensor1d([9], 'int32')), false, true),
    ).toThrow(/^torch: index_select: INDICES element is out of/);
  });

  test('more memory than there is, and an operation that there is not, are named', async () => {
    await initBackend('torch');
    expect(() => tf.fill([2 ** 24, 2 ** 22], 1)).toThrow(OutOfMemoryError);
    const library = new TorchLibrary(join(requireTorch().libraryFolder, 'libtorch_cpu.so'));
    expect(() => library.dispatch('aten::no_such', '')).toThrow(UnknownOperationError);
  });

  test('a packed weight gives the same product, and goes when its weight goes', async () => {
    await initBackend('torch');
    const rng = Rng.of(3, 'packed');
    const draw = (shape: [number, number]) =>
      tf.tensor2d(
        Array.from({ length: shape[0] * shape[1] }, () => rng.normal()),
        shape,
      );
    const liveHandles = () => (tf.backend().memory() as unknown as { liveHandles: number }).liveHandles;
    const before = liveHandles();
    const weight = draw([160, 96]);
    const bias = tf.tensor1d(Array.from({ length: 160 }, () => rng.normal()));
    for (const rows of [1, 8, 100]) {
      const x = draw([rows, 96]);
      const packed = tf.tidy(() => frozenLinear(x, weight, bias).dataSync());
      const plain = tf.tidy(() => tf.add(tf.matMul(x, weight, false, true), bias).dataSync());
      for (const [i, value] of plain.entries()) expect(packed[i]).toBeCloseTo(value, 4);
      x.dispose();
    }
    expect(liveHandles()).toBe(before + 3);
    tf.dispose([weight, bias]);
    expect(liveHandles()).toBe(before);
  });
});
