// `npm run build`: AssemblyScript -> dist/kernels.wasm, TypeScript -> dist/*.cjs. Takes about three seconds.
// --types also writes the declarations (dist/types) unless they are newer than every source, --types-only nothing else;
// --clean first removes what an earlier source left behind.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/**
 * The newest modification time, in ms, of what is below a folder; a folder of which a file was removed is newer, too.
 * @param {string} folder
 */
function newest(folder) {
  return Math.max(
    statSync(folder).mtimeMs,
    ...readdirSync(folder, { withFileTypes: true, recursive: true }).map(
      (entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs,
    ),
  );
}

/** The last file that the declarations are complete with. */
const declarations = join(root, 'dist/types/src/browser.d.mts');

/** Whether the declarations are those of today's source. To write them takes ten seconds. */
function declarationsAreCurrent() {
  if (!existsSync(declarations)) return false;
  const sources = [
    ...['src', 'kernel'].map((name) => newest(join(root, name))),
    ...['tsconfig.json', 'tsconfig.build.json', 'package-lock.json']
      .map((name) => join(root, name))
      .filter((path) => existsSync(path))
      .map((path) => statSync(path).mtimeMs),
  ];
  return statSync(declarations).mtimeMs > Math.max(...sources);
}

/** Compiles the hand-written kernels unless the output is newer than every source. */
async function buildWasm() {
  const assembly = join(root, 'src/tensors/wasm/assembly');
  const output = join(root, 'dist/kernels.wasm');
  if (!existsSync(assembly)) return;
  if (existsSync(output) && statSync(output).mtimeMs > newest(assembly)) return;
  const asc = await import('assemblyscript/asc');
  const { error, stderr } = await asc.main([
    'src/tensors/wasm/assembly/index.ts',
    '--outFile',
    'dist/kernels.wasm',
    '--baseDir',
    root,
    '--optimizeLevel',
    '3',
    '--noAssert',
    '--runtime',
    'stub',
    '--enable',
    'simd,threads,bulk-memory',
    '--importMemory',
    '--sharedMemory',
    '--initialMemory',
    '1',
    '--maximumMemory',
    '65536',
    '--zeroFilledMemory',
  ]);
  if (error) throw new Error(`asc failed: ${error.message}\n${stderr}`);
}

/** Bash's grammar and what reads it: development dependencies of which the package carries these two files. */
function copyGrammar() {
  for (const name of ['web-tree-sitter', 'tree-sitter-bash']) {
    copyFileSync(join(root, `node_modules/${name}/${name}.wasm`), join(root, `dist/${name}.wasm`));
  }
}

/**
 * Settings shared by every bundle: CommonJS, because stock tslab and Node's `require` must load the library.
 * @satisfies {import('esbuild').BuildOptions}
 */
const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // tfjs-core's modules import each other without file extensions, so they have to be bundled.
  // the ES modules, also for tfjs-backend-cpu's own imports: two copies of the core would not share types
  mainFields: ['module', 'main'],
  external: [
    'koffi',
    'vega',
    'vega-lite',
    '@tensorflow/tfjs-backend-wasm',
    'esbuild',
    '7z-wasm',
    'zeromq',
    'amaro',
    'typescript',
    'bullmq',
    'ioredis',
  ],
  define: { 'import.meta.url': '__importMetaUrl', __ARCLAB_VERSION__: JSON.stringify(version) },
  banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  loader: { '.njk': /** @type {const} */ ('text'), '.wgsl': /** @type {const} */ ('text') },
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
};

/**
 * Makes a prebuilt module of the tests use the prebuilt tfjs.
 * @type {import('esbuild').Plugin}
 */
const besidePrebuilt = {
  name: 'beside-prebuilt',
  setup({ onResolve }) {
    onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, () => ({ path: './tf.cjs', external: true }));
  },
};

/**
 * The part for web pages, an ES module. Of packages that have files of their own for browsers those are taken, as
 * each names them.
 * @type {import('esbuild').BuildOptions}
 */
const browser = {
  absWorkingDir: root,
  bundle: true,
  platform: 'browser',
  target: 'es2022',
  format: 'esm',
  entryPoints: { browser: 'src/browser.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  loader: { '.wgsl': /** @type {const} */ ('text') },
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
};

/** Entry points: output name -> source. Files that do not exist yet are left out. */
const entries = {
  arclab: 'src/cli/main.ts',
  index: 'src/index.ts',
  'sample-worker': 'src/training/sample-worker.ts',
  'submit-worker': 'src/submit/worker.ts',
  'wasm-worker': 'src/tensors/wasm/worker.ts',
  'queue-thread': 'src/sweeps/queue/thread.ts',
  'test/tiny-sweep-worker': 'test/sweeps/tiny-worker.ts',
  bench: 'test/bench/main.ts',
  gpu: 'test/gpu/main.ts',
  kernel: 'kernel/jupyter/main.ts',
  'kernel-language': 'kernel/language/worker.ts',
  'kernel-bridge': 'kernel/bridge/main.ts',
};

if (process.argv.includes('--clean')) {
  // the compiled kernels are compared with their sources, and everything else is written anew
  const isOld = !declarationsAreCurrent();
  for (const name of existsSync(join(root, 'dist')) ? readdirSync(join(root, 'dist')) : []) {
    if ((name === 'types' && isOld) || name === 'test' || /\.[cm]js(\.map)?$/.test(name)) {
      rmSync(join(root, 'dist', name), { recursive: true });
    }
  }
}
// the library is CommonJS in a package of ES modules, and its declarations have to say so
mkdirSync(join(root, 'dist/types'), { recursive: true });
writeFileSync(join(root, 'dist/types/package.json'), '{ "type": "commonjs" }\n');
const present = Object.fromEntries(
  Object.entries(entries).filter(([, path]) => existsSync(join(root, path))),
);
copyGrammar();
copyFileSync(join(root, 'kernel/supervisor/kernel.sh'), join(root, 'dist/kernel.sh'));
const bundles = () => [
  buildWasm(),
  build({ ...shared, entryPoints: present, outdir: 'dist' }),
  build(browser),
  // The tests load tfjs as one prebuilt module: going through its 400 files costs every test file a second.
  build({ ...shared, entryPoints: { 'test/tf': 'src/tensors/tf.ts' }, outdir: 'dist' }),
  build({
    ...shared,
    entryPoints: { 'test/tfjs-webgpu': 'src/tensors/webgpu/tfjs-webgpu.ts' },
    outdir: 'dist',
    plugins: [besidePrebuilt],
  }),
];
if (!process.argv.includes('--types-only')) await Promise.all(bundles());
const cli = join(root, 'dist/arclab.cjs');
if (existsSync(cli)) chmodSync(cli, 0o755);
const wantsTypes = process.argv.some((flag) => flag === '--types' || flag === '--types-only');
if (wantsTypes && !declarationsAreCurrent()) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  rmSync(declarations, { force: true });
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
  // of an ES module; renamed last, and as new as the moment
  const written = declarations.replace(/\.mts$/, '.ts');
  utimesSync(written, new Date(), new Date());
  renameSync(written, declarations);
}
