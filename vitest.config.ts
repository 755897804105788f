import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/**
 * `npm run test:unit` is what a person runs between two edits: no flow, no notebook, no kernel process, no whole model; `npm test`
 * proves a change on a machine with nothing but Node; `npm run test:full` adds what takes minutes, and
 * `npm run test:installed` is what of it `npm test` leaves open: what takes minutes, and what uses more than Node.
 */
const isSlow = (file: string): boolean => /(^|\/)test\/notebooks\/|\.slow\.test\.ts$/.test(file);
const SLOW = testsIn('test').filter(isSlow);
const WHOLE_PROCESSES = [
  'test/api.test.ts',
  'test/browser/**',
  'test/e2e/**',
  'test/kaggle/**',
  'test/runtimes/**',
  'test/sweeps/{local,queue}.test.ts',
  ...testsWithKernels(),
];

/** Tests that load or train models, over all families and backends, and one of locks between processes. */
const WHOLE_MODELS = [
  'test/parity/**',
  'test/session/{search,session,task-tuning}.test.ts',
  'test/experiments/values.test.ts',
  'test/models/{adapter,attach,decoder}.test.ts',
  'test/training/{best,fine-tune}.test.ts',
  'test/records/records.test.ts',
  'test/common/lock.test.ts',
];

/** Tests of the kernel that start one, or a program that does: they import a client of its, or what installs it. */
function testsWithKernels(): string[] {
  const client = /from '\.[^']*\/(client|session|installed|page|notebooks|interrupt-fuzz|runner\/index)\.js'/;
  return testsIn('test/kernel').filter(
    (name) => client.test(readFileSync(path(name), 'utf8')) || name.includes('/kernelspec/'),
  );
}

/** Tests that ask for something beside Node (test/prerequisites), themselves or by what they import. */
function testsWithPrerequisites(): string[] {
  // cells in the text of tests import what is not here
  const isHere = (file: string) => file.startsWith('test/') && existsSync(path(file));
  const known = new Map<string, boolean>();
  const asks = (name: string): boolean => {
    if (name.startsWith('test/prerequisites/')) return true;
    if (!known.has(name)) {
      // until it is known, for modules that import each other
      known.set(name, false);
      const imported = readFileSync(path(name), 'utf8').matchAll(/(?:from|import) '(\.[^']+)\.js'/g);
      const files = [...imported].map(([, to]) => posix.join(posix.dirname(name), `${to}.ts`));
      known.set(name, files.filter(isHere).some(asks));
    }
    return known.get(name)!;
  };
  return testsIn('test').filter(asks);
}

function testsIn(folder: string): string[] {
  return readdirSync(path(folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
}

/** The files that take minutes come first, so that none of them is the last one alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => isSlow(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

const excluded: Record<string, string[]> = {
  full: [],
  installed: [],
  unit: [...SLOW, ...WHOLE_PROCESSES, ...WHOLE_MODELS],
};

export default defineConfig(({ mode }) => ({
  plugins: [
    {
      // templates and shaders are imported as text, as esbuild's `text` loader does in the build
      name: 'files-as-text',
      enforce: 'pre',
      load(id) {
        return /\.(njk|wgsl)$/.test(id)
          ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}`
          : undefined;
      },
    },
    {
      // the modules that import tfjs are loaded prebuilt (see scripts/build.mjs)
      name: 'tfjs-prebuilt',
      enforce: 'pre',
      resolveId(id) {
        const [, name] = /(?:^|\/)(tf|tfjs-webgpu)\.js$/.exec(id) ?? [];
        return name ? { id: path(`./dist/test/${name}.cjs`), external: true } : undefined;
      },
    },
  ],
  test: {
    include: mode === 'installed' ? [...SLOW, ...testsWithPrerequisites()] : ['test/**/*.test.ts'],
    exclude: excluded[mode] ?? SLOW,
    // what is not about backends runs on the embedded one, whatever is installed
    // and the others have one thread: models are tiny, and two workers with two threads each wait for each other
    env: {
      ARCLAB_BACKEND: 'wasm',
      // which of the backends are left open (test/prerequisites)
      ARCLAB_TEST_MODE: mode,
      OMP_NUM_THREADS: '1',
      TF_NUM_INTRAOP_THREADS: '1',
      TF_NUM_INTEROP_THREADS: '1',
    },
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/global-setup.ts'],
    reporters: ['default', 'test/unstable-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
}));
