/** How NCCL is called, against a library that has its functions as nccl.h declares them and records their arguments. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Nccl, ncclCandidates, versionText } from '../../../src/tensors/collective/nccl.js';
import { programUnderTest } from '../../prerequisites/index.js';

const compiler = programUnderTest('c compiler');

describe.skipIf(compiler === undefined)('a library with the functions of NCCL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-nccl-'));
  const file = join(folder, 'libnccl.so.2');
  beforeAll(() => {
    const source = fileURLToPath(new URL('./fake-nccl.c', import.meta.url));
    execFileSync(compiler!, ['-shared', '-fPIC', '-o', file, source]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const recorded = (): number[] => {
    const out = new BigInt64Array(10);
    koffi.load(file).func('void recorded(void*)')(out);
    return Array.from(out, Number);
  };

  test('ids by value, sums and broadcasts in a group, on the stream', async () => {
    let shared: Uint8Array | undefined;
    const share = async (id: Uint8Array) => {
      shared = id.slice();
      return shared;
    };
    const nccl = await Nccl.join({ rank: 0, size: 3 }, ['libnothing.so', file], share, () => 0x1234n);
    expect(nccl.name).toBe('NCCL 2.27.3');
    expect(shared).toEqual(Uint8Array.from({ length: 128 }, (_, i) => (i * 3 + 200) & 255));
    const memory = koffi.alloc('float', 6) as bigint;
    const floats = new Float32Array(koffi.view(memory, 24));
    floats.set([1, 2, 3, 4, 5, 6]);
    const pointer = BigInt(koffi.address(memory));
    nccl.allReduce([
      { pointer, count: 2, type: 'float32' },
      { pointer: pointer + 12n, count: 3, type: 'float32' },
    ]);
    expect([...floats]).toEqual([3, 6, 3, 12, 15, 18]);
    nccl.broadcast([{ pointer, count: 6, type: 'float32' }], 2);
    // two calls, ncclFloat32, ncclSum, root 2, in a group, the stream, rank 0 of 3, the id
    expect(recorded()).toEqual([2, 7, 0, 2, 1, 0x1234, 0, 3, 200, (127 * 3 + 200) & 255]);
    expect(() => nccl.allReduce([{ pointer, count: 1, type: 'float64' }])).toThrow(
      'ncclAllReduce failed with error 5: invalid usage',
    );
    nccl.close();
  });

  test('a refusal is one line', async () => {
    const share = async (id: Uint8Array) => id;
    await expect(Nccl.join({ rank: 3, size: 3 }, [file], share, () => 0n)).rejects.toThrow(
      'ncclCommInitRank failed with error 4: invalid argument',
    );
  });
});

test('without a library: what to install', async () => {
  const joining = Nccl.join(
    { rank: 0, size: 2 },
    ['libnothing.so'],
    async (id) => id,
    () => 0n,
  );
  await expect(joining).rejects.toThrow(/gradients on GPUs need NCCL, .*pip install nvidia-nccl/);
  expect(ncclCandidates('/nowhere/torch/lib')).toEqual(['libnccl.so.2']);
});

test('versions', () => {
  expect(versionText(22703)).toBe('2.27.3');
  expect(versionText(2708)).toBe('2.7.8');
});
