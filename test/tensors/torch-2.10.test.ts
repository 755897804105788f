/** What PyTorch 2.10.0 declares, which is the oldest release that is taken and was never at hand, against what we call. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bindDirectCalls } from '../../src/tensors/torch/direct-call.js';
import { dtypeNumbers } from '../../src/tensors/torch/dtypes.js';
import { bindFunctions } from '../../src/tensors/torch/functions.js';
import { resolveSchemas } from '../../src/tensors/torch/installed.js';
import type { TorchLibrary } from '../../src/tensors/torch/library.js';
import { requireTorch } from '../../src/tensors/torch/locate.js';
import { type OperationName, parseSchema, schemas } from '../../src/tensors/torch/schemas.js';
import { backendsUnderTest } from '../prerequisites/index.js';

const lines = (name: string): string[] =>
  readFileSync(new URL(name, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

const declared = new Map(
  lines('torch-2.10.0-schemas.txt').map((line) => [line.slice(0, line.indexOf('(')), line]),
);
const names = Object.keys(schemas) as OperationName[];

describe('schemas', () => {
  test('all were looked up but the one that no such file lists', () => {
    expect(names.filter((name) => !declared.has(name))).toEqual(['mkldnn::_reorder_linear_weight']);
    expect([...declared.keys()].filter((name) => !Object.hasOwn(schemas, name))).toEqual([]);
  });

  test('none is refused, and each is called with the very arguments of 2.10.0', () => {
    for (const [name, resolved] of resolveSchemas(declared)) {
      expect(resolved, name).not.toBeNull();
      expect(resolved, name).toEqual(parseSchema(declared.get(name) ?? schemas[name]));
    }
  });

  test('any argument or result that is altered, lost or new makes its operation refused', () => {
    for (const [name, line] of declared) {
      const refuses = (altered: string) => {
        expect(altered, name).not.toBe(line);
        const others = new Map(declared).set(name, altered);
        const refused = [...resolveSchemas(others)].filter(([, schema]) => schema === null);
        expect(refused, altered).toEqual([[name, null]]);
      };
      refuses(line.replace(/\((Tensor)/, '(int')); // every first argument is a tensor or a list of tensors
      refuses(line.replace(/\(Tensor(\(\w!?\))?(\[\])? \w+(, )?/, '('));
      refuses(line.replace('(', '(int added, '));
      refuses(line.replace(/ -> .*/, ' -> (Tensor, int[])'));
    }
  });
});

/** How koffi is told of a C type. */
function native(type: string): string {
  const plain = type.replace(/\bconst /g, '').trim();
  if (/\*$|Handle$/.test(plain)) return 'uintptr_t';
  const known: Record<string, string> = { size_t: 'uint64_t', StableIValue: 'uint64_t', bool: 'uint8_t' };
  return known[plain] ?? plain;
}

/** `int32_t f(const char*, bool)` → f and its prototype for koffi. */
function prototypeOf(declaration: string): [string, string] {
  const [, result, name, inside] = /^(\w+) (\w+)\((.*)\)$/.exec(declaration) as unknown as string[];
  const parameters = inside === '' ? [] : (inside as string).split(', ').map(native);
  return [name as string, `${result} ${name}(${parameters.join(', ')})`];
}

/** Every function of libtorch that is bound, on the processor and on GPUs, but the one for errors: its prototype. */
function bound(): Map<string, string> {
  const found = new Map<string, string>();
  const keep = (prototype: string) => {
    const name = /(\w+)\(/.exec(prototype)?.[1] as string;
    if (/^(aoti_)?torch_/.test(name)) found.set(name, prototype);
    return () => 0;
  };
  const recorder = { has: () => true, checked: keep, value: keep } as unknown as TorchLibrary;
  dtypeNumbers(recorder);
  for (const type of ['cpu', 'cuda'] as const) {
    bindFunctions(recorder, { type, index: 0 });
    bindDirectCalls(recorder, { type, index: 0 });
  }
  const folder = new URL('../../src/tensors/torch/', import.meta.url);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    for (const [, prototype] of text.matchAll(/'(\w+ (?:aoti_)?torch_\w+\([^']*\))'/g))
      keep(prototype as string);
  }
  return found;
}

describe('C functions', () => {
  test('are bound as 2.10.0 declares them', () => {
    const declarations = new Map(lines('torch-2.10.0-functions.txt').map(prototypeOf));
    const functions = bound();
    expect(Object.fromEntries(functions)).toMatchObject(Object.fromEntries(declarations));
    const notLookedUp = [...functions.keys()].filter((name) => !declarations.has(name)).sort();
    expect(notLookedUp).toEqual([
      'aoti_torch_aten_full',
      'aoti_torch_cpu__linear_pointwise', // not called where it is missing
      'aoti_torch_cpu_add_Tensor',
      'aoti_torch_cpu_addmm_out',
      'torch_new_stable_ivalue', // 2.13
    ]);
  });

  test.runIf(backendsUnderTest().includes('torch'))('are bound as the installed torch declares them', () => {
    const include = join(dirname(requireTorch().libraryFolder), 'include/torch/csrc');
    const headers = [
      'stable/c/shim.h',
      'inductor/aoti_torch/c/shim.h',
      'inductor/aoti_torch/c/shim_cpu.h',
    ].concat(['aten', 'cpu', 'cuda'].map((of) => `inductor/aoti_torch/generated/c_shim_${of}.h`));
    const text = headers
      .map((name) => readFileSync(join(include, name), 'utf8').replace(/\/\/.*$/gm, ''))
      .join('\n');
    for (const [name, prototype] of bound()) {
      const declaration = new RegExp(`(\\w+)\\s+${name}\\(([^)]*)\\);`).exec(text);
      expect(declaration, name).not.toBeNull();
      const [, result, inside] = declaration as unknown as [string, string, string];
      const types = inside.split(',').map((part) => part.replace(/\w+\s*$/, '').trim());
      const parameters = inside.trim() === '' ? [] : types.map(native);
      const answer = result === 'AOTITorchError' ? 'int32_t' : result;
      expect(`${answer} ${name}(${parameters.join(', ')})`).toBe(prototype);
    }
  });
});
