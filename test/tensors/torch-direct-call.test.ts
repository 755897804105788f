import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ArgumentWriter, type TorchArgument } from '../../src/tensors/torch/arguments.js';
import {
  bindDirectly,
  directName,
  directPrototype,
  dispatcherGives,
} from '../../src/tensors/torch/direct-call.js';
import { bindFunctions } from '../../src/tensors/torch/functions.js';
import { loadTorch } from '../../src/tensors/torch/load.js';
import { requireTorch } from '../../src/tensors/torch/locate.js';
import { type OperationName, parseSchema, schemas } from '../../src/tensors/torch/schemas.js';
import { backendsUnderTest } from '../prerequisites/index.js';

const unreadable = (Object.keys(schemas) as OperationName[]).filter(
  (name) => !dispatcherGives(parseSchema(schemas[name])),
);

test('results of mixed types are not asked of the dispatcher', () => {
  expect(unreadable).toEqual(['_efficient_attention_forward']);
  expect(dispatcherGives(parseSchema('op(int a) -> (Tensor, int, Tensor)'))).toBe(true);
  expect(dispatcherGives(parseSchema('op(int a) -> (Tensor, Tensor?)'))).toBe(false);
  expect(dispatcherGives(parseSchema('op(int a) -> (Tensor, Tensor[])'))).toBe(false);
});

test('a C function takes what its schema says, and no lists', () => {
  const schema = parseSchema(
    'op(Tensor a, Tensor? b, int c, SymInt? d, float e, float? f, bool g) -> (Tensor, int)',
  );
  expect(directPrototype('f', schema)).toBe(
    'int32_t f(uintptr_t, uintptr_t, int64_t, uintptr_t, double, uintptr_t, int32_t, uintptr_t, uintptr_t)',
  );
  expect(() => directPrototype('f', parseSchema('op(Tensor[] a) -> Tensor'))).toThrow(/takes a Tensor/);
});

describe.runIf(backendsUnderTest().includes('torch'))('on the installed torch', () => {
  const device = { type: 'cpu', index: 0 } as const;
  const torch = () => loadTorch(requireTorch(), { device });

  test('its dispatcher fails on results of mixed types, after the operation has run', () => {
    const { library } = torch();
    const writer = new ArgumentWriter(library, bindFunctions(library, device));
    const mixed = parseSchema(
      '_batch_norm_impl_index(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> (Tensor, Tensor, Tensor, Tensor, int)',
    );
    expect(dispatcherGives(mixed)).toBe(false);
    const x = torch().full([4, 3], 1.5, 'float32');
    writer.write('batch norm', mixed.arguments, [x, null, null, null, null, true, 0.1, 1e-5, false]);
    expect(() => library.dispatch(mixed.name, '')).toThrow(/Expected Tensor but got Int|printed why/);
  });

  test('a C function gives what the dispatcher gives, with and without optional arguments', () => {
    const used = torch();
    const name = '_scaled_dot_product_flash_attention_for_cpu';
    const schema = parseSchema(schemas[name]);
    const direct = bindDirectly(used.library, `aoti_torch_cpu_${name}`, schema);
    expect(bindDirectly(used.library, 'aoti_torch_cpu_no_such', schema)).toBeUndefined();
    const shape = [1, 2, 5, 8];
    const numbers = (salt: number) => {
      const tensor = used.empty(shape, 'float32');
      const values = new Float32Array(used.hostBytes(tensor, 80, 'float32'));
      for (let i = 0; i < 80; i++) values[i] = Math.sin(i * salt);
      return tensor;
    };
    const [q, k, v] = [numbers(1), numbers(2), numbers(3)];
    const mask = used.full([5, 5], -0.5, 'float32');
    const read = (handle: number) => [...new Float32Array(used.hostBytes(handle, 80, 'float32'))];
    const calls: TorchArgument[][] = [
      [q, k, v, 0, true, null, null],
      [q, k, v, 0, false, mask, 0.25],
    ];
    const given = calls.map((args) => {
      const [expected] = used.callAll(name, ...args);
      const first = direct?.(args) as number;
      const [out, sums] = [used.library.getInt(first), used.library.getInt(first + 1)];
      expect(used.shapeOf(sums)).toEqual([1, 2, 5]);
      const values = read(used.rowMajor(out));
      expect(values).toEqual(read(used.rowMajor(expected as number)));
      return values;
    });
    expect(given[0]).not.toEqual(given[1]);
    expect(() => direct?.([q, k, null, 0, true])).toThrow(/argument 2 must not be None/);
  });

  test('its headers declare each C function as we call it', () => {
    const include = join(dirname(requireTorch().libraryFolder), 'include/torch/csrc/inductor/aoti_torch');
    const header = readFileSync(join(include, 'generated/c_shim_cuda.h'), 'utf8');
    for (const name of unreadable) {
      const declared = new RegExp(`AOTITorchError ${directName(name)}\\((.*)\\);`).exec(header)?.[1];
      const parameters = declared?.split(', ').map((part) => {
        const type = part.replace('const ', '').split(' ')[0] as string;
        return /\*$|Handle$/.test(type) ? 'uintptr_t' : type;
      });
      expect(directPrototype('f', parseSchema(schemas[name]))).toBe(`int32_t f(${parameters?.join(', ')})`);
    }
  });
});
