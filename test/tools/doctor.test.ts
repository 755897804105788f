/** `arclab doctor` on machines that are not this one: faked by variables, folders and what the driver says. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildFile } from '../../src/common/files.js';
import { knownBackends } from '../../src/tensors/backend.js';
import { reproducibility } from '../../src/tensors/reproducibility.js';
import { schemas } from '../../src/tensors/torch/schemas.js';
import { gpuFinding, kernelFinding, reproducibilityFindings, untried } from '../../src/tools/doctor.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (path: string, text: string): string => {
  const whole = join(folder, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  writeFileSync(whole, text);
  return whole;
};

/** Runs the command where nothing is but what the variables say. */
function runDoctor(
  environment: Record<string, string>,
  flags: readonly string[] = [],
): { status: number | null; lines: string[]; errors: string } {
  const env = { HOME: folder, PATH: join(folder, 'bin'), NO_COLOR: '1', ...environment };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [buildFile('arclab.cjs'), 'doctor', ...flags],
    {
      env,
      cwd: folder,
      encoding: 'utf8',
    },
  );
  return { status, lines: stdout.split('\n').filter((line) => line !== ''), errors: stderr };
}

/** The line about something, and the advice below it, when there is one. */
function about(lines: string[], name: string): string[] {
  const at = lines.findIndex((line) => line.slice(2).startsWith(name));
  const next = lines[at + 1] ?? '';
  return [lines[at] ?? '', ...(next.startsWith(' ') ? [next.trim()] : [])];
}

test('an option of a model is not ignored where there is none', () => {
  const { status, errors } = runDoctor({}, ['--dtype', 'float16']);
  expect(status).toBe(2);
  expect(errors).toMatch(/^.*--dtype: it is of a model, which --model_path names\n$/);
});

describe('on a machine', () => {
  test('without Python, torch and Jupyter: what is missing, and what to do about it', () => {
    const { status, lines } = runDoctor({ ARCLAB_LIBTORCH: join(folder, 'nowhere') });
    expect(status).toBe(0);
    expect(about(lines, 'Node.js')[0]).toMatch(/^✓ Node\.js +\d+\.\d+/);
    expect(about(lines, 'backend wasm')[0]).toMatch(/^✓ .* product is right/);
    expect(about(lines, 'same digits again')[0]).toMatch(
      /^✓ same digits again +wasm: all operations, given nothing: any processor and number of threads/,
    );
    const [torch, torchAdvice] = about(lines, 'backend torch');
    expect(torch).toMatch(/^- .*expected a torch package or its lib folder/);
    expect(torchAdvice).toMatch(/^→ install PyTorch/);
    const [tensorflow, tensorflowAdvice] = about(lines, 'backend tensorflow');
    expect(tensorflow).toMatch(/^- .*no addon found, and the active Python has no TensorFlow/);
    expect(tensorflowAdvice).toMatch(/^→ run `arclab tensorflow build`/);
  });

  test('with a TensorFlow that has no addon, and a kernel of a Node that is gone', () => {
    const library = join(folder, 'site-packages/tensorflow');
    file('site-packages/tensorflow/__init__.py', '');
    file('site-packages/tensorflow_cpu-2.20.0.dist-info/METADATA', '');
    chmodSync(file('bin/python3', `#!/bin/sh\necho ${library}\n`), 0o755);
    const spec = {
      argv: ['/nowhere/node', '/nowhere/kernel.cjs'],
      metadata: { arclab: { kernel: 'arclab' } },
    };
    file('jupyter/kernels/arclab/kernel.json', JSON.stringify(spec));
    const { status, lines } = runDoctor({
      ARCLAB_LIBTORCH: join(folder, 'nowhere'),
      JUPYTER_PATH: join(folder, 'jupyter'),
    });
    expect(about(lines, 'backend tensorflow')).toEqual([
      expect.stringContaining(
        `the active Python has TensorFlow 2.20.0 (${library}), and no addon is built for it`,
      ),
      expect.stringMatching(/^→ run `arclab tensorflow build`/),
    ]);
    expect(about(lines, 'Jupyter kernel')).toEqual([
      expect.stringMatching(/^✗ .*\/nowhere\/node and \/nowhere\/kernel\.cjs is gone/),
      '→ run `arclab kernel install` again',
    ]);
    expect(status).toBe(1);
  });
});

describe('GPUs', () => {
  const gpu = { index: 0, name: 'NVIDIA L4', capability: 8.9, memory: 24 * 2 ** 30 };
  const torch = { libraryFolder: '', version: '2.13.0', source: 'a test' };

  test('with memory, and a PyTorch that uses them', () => {
    const libraryFolder = join(folder, 'torch/lib');
    file('torch/lib/libtorch_cuda.so', '');
    expect(gpuFinding({ gpus: [gpu] }, [{ ...torch, libraryFolder }])).toEqual({
      name: 'GPU',
      status: 'ok',
      found: 'cuda:0 NVIDIA L4, 24.0 GiB, compute capability 8.9',
    });
  });

  test('that nothing uses', () => {
    expect(gpuFinding({ gpus: [gpu] }, [{ ...torch, libraryFolder: folder }])).toMatchObject({
      status: 'missing',
      found: expect.stringContaining('torch 2.13.0 is built for the processor only'),
      advice: 'install a CUDA build of PyTorch',
    });
    const old = { ...torch, libraryFolder: folder, refused: 'too old' };
    expect(gpuFinding({ gpus: [gpu] }, [old]).found).toContain('no PyTorch uses it');
  });

  test('that are not there', () => {
    const finding = gpuFinding({ gpus: [], absent: 'the NVIDIA driver sees no GPU' }, [torch]);
    expect(finding).toMatchObject({ status: 'missing', found: 'the NVIDIA driver sees no GPU' });
    expect(finding.advice).toContain("NVIDIA's driver");
  });
});

test('kernels: none, and one that is whole', () => {
  expect(kernelFinding([])).toMatchObject({
    status: 'missing',
    advice: expect.stringContaining('kernel install'),
  });
  const spec = { metadata: { arclab: { kernel: 'arclab' } } } as never;
  expect(kernelFinding([{ name: 'arclab', folder: '/kernels/arclab', spec, missing: [] }])).toEqual({
    name: 'Jupyter kernel',
    status: 'ok',
    found: 'arclab (/kernels/arclab)',
    advice: untried(process.platform),
  });
  expect(['linux', 'darwin', 'win32'].map((system) => untried(system as NodeJS.Platform))).toEqual([
    undefined,
    expect.stringContaining('tried on Linux only'),
    expect.stringContaining('tried on Linux only'),
  ]);
});

test('every backend says which operations give the same digits again, and a GPU which do not', () => {
  const known = knownBackends().map(({ name }) => name);
  expect(new Set(reproducibility.map(({ backend }) => backend))).toEqual(new Set(known));
  const called = Object.keys(schemas);
  for (const { backend, exceptions } of reproducibility) {
    if (backend !== 'torch') continue;
    for (const { operations: names } of exceptions) for (const name of names) expect(called).toContain(name);
  }
  expect(reproducibilityFindings(['torch'], false)).toEqual([
    expect.objectContaining({
      found: expect.stringMatching(/^torch: all operations, given PyTorch, processor/),
    }),
  ]);
  const [, onGpu] = reproducibilityFindings(['torch'], true);
  expect(onGpu!.found).toMatch(
    /^torch on a GPU: all operations but _flash_attention_backward, .* \(gradients/,
  );
  expect(onGpu!.advice).toMatch(/CUBLAS_WORKSPACE_CONFIG=:4096:8/);
});
