import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  plugins: [
    {
      // templates are imported as text, as esbuild's `text` loader does in the build
      name: 'njk-as-text',
      enforce: 'pre',
      load(id) {
        return id.endsWith('.njk') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined;
      },
    },
    {
      // the one module that imports tfjs is loaded prebuilt (see scripts/build.mjs)
      name: 'tfjs-prebuilt',
      enforce: 'pre',
      resolveId(id) {
        return /(^|\/)tf\.js$/.test(id) ? { id: path('./dist/test/tf.cjs'), external: true } : undefined;
      },
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    // what is not about backends runs on the embedded one, whatever is installed
    // and the others have one thread: models are tiny, and two workers with two threads each wait for each other
    env: {
      ARCLAB_BACKEND: 'wasm',
      OMP_NUM_THREADS: '1',
      TF_NUM_INTRAOP_THREADS: '1',
      TF_NUM_INTEROP_THREADS: '1',
    },
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
