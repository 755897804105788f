import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { initBackend } from '../../src/tensors/backend.js';
import { buildTensorFlowAddon } from '../../src/tensors/tensorflow/build.js';
import {
  addonFingerprint,
  inspectBuild,
  libraries,
  requireTensorFlow,
  searchTensorFlow,
} from '../../src/tensors/tensorflow/locate.js';
import { tfjs } from '../../src/tensors/tensorflow/tfjs-node.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest } from '../prerequisites/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-tensorflow-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A TensorFlow of which only the files that are looked for are there. */
function fakeTensorFlow(): string {
  const root = join(folder, 'tensorflow');
  mkdirSync(join(root, 'include/tensorflow/c/eager'), { recursive: true });
  for (const name of libraries) writeFileSync(join(root, name), name);
  writeFileSync(join(root, 'include/tensorflow/c/eager/c_api.h'), '');
  return root;
}

/** A program that prints a text, and says no when the text is null. */
function fakeProgram(name: string, output: string | null): string {
  const path = join(folder, name);
  writeFileSync(path, output === null ? '#!/bin/sh\nexit 1\n' : `#!/bin/sh\necho '${output}'\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('finding an addon', () => {
  function fakeBuild(cache: string, name: string, libraryFolder: string): string {
    const build = join(cache, 'arclab/tensorflow', name);
    mkdirSync(build, { recursive: true });
    const record = { tfjsNode: '4.22.0', version: '2.21.0', libraryFolder };
    const fingerprint = addonFingerprint(libraryFolder);
    writeFileSync(join(build, 'build.json'), JSON.stringify({ ...record, fingerprint }));
    return build;
  }

  test('in the cache, the latest first, and none that was interrupted', () => {
    const libraryFolder = fakeTensorFlow();
    const builds = ['old', 'new', 'half.tmp-1-ab'].map((name) => fakeBuild(folder, name, libraryFolder));
    for (const [i, build] of builds.entries()) utimesSync(build, 1000 + i, 1000 + i);
    const found = searchTensorFlow({ XDG_CACHE_HOME: folder });
    const addons = found.map(({ addon }) => addon).filter((addon) => addon.startsWith(folder));
    expect(addons).toEqual([1, 0].map((i) => join(builds[i] as string, 'tfjs_binding.node')));
    expect(found[0]?.refused).toBeUndefined();
    const named = searchTensorFlow({ ARCLAB_TENSORFLOW: builds[0], XDG_CACHE_HOME: folder });
    expect(named.map(({ addon }) => addon)).toEqual([addons[1]]);
  });

  test('it is refused when its TensorFlow is another one now, or is gone', () => {
    const libraryFolder = fakeTensorFlow();
    const build = fakeBuild(folder, 'one', libraryFolder);
    writeFileSync(join(libraryFolder, libraries[0]), 'another release');
    const built = `the addon in ${build} was built for TensorFlow 2.21.0 in ${libraryFolder}, which`;
    expect(inspectBuild(build)?.refused).toBe(`${built} has changed since`);
    rmSync(libraryFolder, { recursive: true });
    expect(inspectBuild(build)?.refused).toBe(`${built} is gone`);
  });

  test('ARCLAB_TENSORFLOW that is no build is told so', () => {
    const [found] = searchTensorFlow({ ARCLAB_TENSORFLOW: folder });
    expect(found?.refused).toBe(
      `ARCLAB_TENSORFLOW: expected a folder made by \`arclab tensorflow build\`, found no build.json in ${folder}`,
    );
  });
});

describe('building it says in one line what is missing, and leaves nothing behind', () => {
  const build = (python: string) => () => buildTensorFlowAddon({ python, outputDir: join(folder, 'addon') });

  test('TensorFlow', () => {
    const python = fakeProgram('python', '');
    expect(build(python)).toThrow(
      `--python ${python}: no TensorFlow was found; install it with \`${python} -m pip install tensorflow\``,
    );
    const nowhere = join(folder, 'no-python');
    expect(build(nowhere)).toThrow(`--python ${nowhere}: no TensorFlow was found`);
  });

  test('a library that older releases do not have', () => {
    const root = fakeTensorFlow();
    rmSync(join(root, libraries[0]));
    expect(build(fakeProgram('python', root))).toThrow(`${root}: this TensorFlow has no ${libraries[0]}`);
  });

  test('a compiler', () => {
    vi.stubEnv('CXX', join(folder, 'no-compiler'));
    expect(build(fakeProgram('python', fakeTensorFlow()))).toThrow(
      /^no C\+\+ compiler was found \(looked for .*no-compiler\); install one/,
    );
  });

  test('a package of npm', () => {
    vi.stubEnv('CXX', fakeProgram('c++', 'a compiler'));
    fakeProgram('npm', null);
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    expect(build(fakeProgram('python', fakeTensorFlow()))).toThrow(
      /^npm could not download @tensorflow\/tfjs-node@/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('addon'))).toEqual([]);
  });

  test('a folder that is something else is left alone', () => {
    mkdirSync(join(folder, 'addon'));
    writeFileSync(join(folder, 'addon', 'letter.txt'), 'dear reader');
    expect(build(fakeProgram('python', fakeTensorFlow()))).toThrow('exists, and it is no earlier build');
    expect(existsSync(join(folder, 'addon', 'letter.txt'))).toBe(true);
  });
});

describe.runIf(backendsUnderTest().includes('tensorflow'))('on the installed TensorFlow', () => {
  test('the kernels are those of our copy of tfjs, and other modules see the real packages', async () => {
    await initBackend('tensorflow');
    const { packageFolder } = requireTensorFlow();
    const inside = createRequire(join(packageFolder, 'dist/arclab.js'));
    expect(Object.keys(inside.cache).filter((path) => path.startsWith(packageFolder))).toEqual([]);
    expect(inside('util').inspect).toBeTypeOf('function');
    const plain = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
    const ours = new Set(tf.getKernelsForBackend('tensorflow').map(({ kernelName }) => kernelName));
    expect(plain.filter((name) => !ours.has(name))).toEqual([]);
  });

  test('everything that tfjs-node uses of tfjs is there, and is the same', () => {
    const dist = join(requireTensorFlow().packageFolder, 'dist');
    const files = readdirSync(join(dist, 'kernels')).map((name) => join('kernels', name));
    const names = new Set<string>();
    for (const file of [
      ...files,
      'nodejs_kernel_backend.js',
      'register_all_kernels.js',
      'int64_tensors.js',
    ]) {
      if (!file.endsWith('.js')) continue;
      const text = readFileSync(join(dist, file), 'utf8');
      for (const [, variable] of text.matchAll(
        /(?:var|const) (\w+) = [^\n]*require\("@tensorflow\/tfjs(?:-core)?"\)/g,
      )) {
        for (const [, name] of text.matchAll(new RegExp(`\\b${variable}\\.(\\w+)`, 'g')))
          names.add(name as string);
      }
    }
    expect(names.size).toBeGreaterThan(100);
    names.delete('KernelBackend');
    const theirs = tf as unknown as Record<string, unknown>;
    for (const name of names) expect(tfjs[name], name).toBe(theirs[name]);
  });

  test('an error carries the name of the operation and what TensorFlow says', async () => {
    await initBackend('tensorflow');
    const backend = tf.backend() as unknown as { executeSingleInput(name: string, x: tf.Tensor): tf.Tensor };
    const x = tf.zeros([2, 3]);
    expect(() => backend.executeSingleInput('MatrixInverse', x)).toThrow(
      /^tensorflow: MatrixInverse: Input matrix must be square/,
    );
    expect(() => backend.executeSingleInput('NoSuchOperation', x)).toThrow(/^tensorflow: NoSuchOperation: /);
    x.dispose();
  });

  test('values that were handed over may change afterwards', async () => {
    await initBackend('tensorflow');
    const values = Float32Array.from({ length: 64 }, (_, i) => i);
    const x = tf.tensor1d(values);
    values.fill(-1);
    expect(tf.tidy(() => tf.sum(x).dataSync()[0])).toBe(2016);
    x.dispose();
  });
});
