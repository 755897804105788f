/**
 * The packed half of the bundle: what the readable source stands on. `common/`, `tensors/` and `display/`, third-party
 * packages and the bridge to the notebook as minified ES modules that share their chunks; workers, the kernels and
 * koffi's native module as files.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { KaggleError } from './errors.js';
import { shrinkNativeModule } from './native-module.js';
import { ENTRY, PACKED_PLACES, type SourceBundle } from './source.js';
import { assertAllUsed, packageStandIns, type StandIn, standInPlugin } from './stand-ins.js';
import type { KaggleConfig } from './types.js';
import { COMPILER, recordSchemas, validatorModule } from './validators.js';

/** The files that the notebook unpacks into a folder, and what they were made of. */
export interface PackedFiles {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Files of the repository. */
  readonly inputs: readonly string[];
  /** Packages of npm. */
  readonly packages: readonly string[];
}

const shared: BuildOptions = {
  bundle: true,
  write: false,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  charset: 'ascii',
  legalComments: 'none',
  logLevel: 'silent',
  mainFields: ['module', 'main'],
};

/** What a backend's module is replaced with where it is left out: it says so. */
function leftOut(backend: string, register: string): string {
  const message = `backend ${backend} is not in this notebook (leaveOut in its configuration)`;
  return `export function ${register}() { throw new Error(${JSON.stringify(message)}); }`;
}

/**
 * Kaggle's machines have no Vulkan. An installed arclab has no tfjs-backend-webgpu either, which is compiled into its
 * bundle.
 */
const withoutWebGpu: readonly StandIn[] = [
  { path: './webgpu/index.js', contents: leftOut('webgpu', 'registerWebGpuBackend') },
  {
    path: './webgpu/locate.js',
    contents:
      'export const webGpuIsPresent = () => false; export const describeWebGpu = () => ({ found: "" });',
  },
];

/** What this notebook does without, and its checks of JSON Schemas. */
function notebookStandIns(config: KaggleConfig, validators: string): StandIn[] {
  // the addon of tensorflow would have to be compiled there
  const backends = ['tensorflow', ...config.leaveOut.filter((name) => name !== 'comments')];
  const registers: Record<string, string> = {
    tensorflow: 'registerTensorFlowBackend',
    torch: 'registerTorchBackend',
    wasm: 'registerWasmBackend',
  };
  return [
    ...packageStandIns.filter(({ path }) => path !== 'koffi' || !config.leaveOut.includes('torch')),
    ...withoutWebGpu,
    ...backends.map((name) => ({ path: `./${name}/index.js`, contents: leftOut(name, registers[name]!) })),
    {
      path: COMPILER,
      contents: "export * from './templates/kaggle/schema-compiler.ts';",
    },
    { path: 'compiled-validators', contents: validators },
    // a submission has no internet; the readable half has this by itself (see source.ts)
    {
      path: './hub.js',
      importer: /[\\/]src[\\/]models[\\/]/,
      contents: "export * from './templates/kaggle/hub.ts';",
    },
  ];
}

/** Optional packages, which are loaded by name where someone has them. */
const OPTIONAL = ['chokidar', 'fsevents', 'vega', 'vega-lite'];

/** The program that runs the cells: the kernel's bridge with a small stripper of types. */
const BRIDGE = 'templates/kaggle/bridge.ts';

/** Starts the readable source in a thread or process of its own, where the repository has a bundle. */
const workerStub = "import('../arclab.mjs');\n";

/** Makes every file of the packed half but the readable source. @throws {KaggleError} when a part is missing */
export async function packFiles(
  root: string,
  source: SourceBundle,
  config: KaggleConfig,
): Promise<PackedFiles> {
  const { build } = await import('esbuild');
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const schemas = await recordSchemas(root, ENTRY, {
    ...shared,
    external: ['koffi', ...OPTIONAL],
    loader: { '.njk': 'text', '.wgsl': 'text' },
    plugins: [standInPlugin(withoutWebGpu, root).plugin],
  });
  const standIns = standInPlugin(notebookStandIns(config, await validatorModule(schemas)), root);
  const plugins = [standIns.plugin];
  const vendor = source.packages.map((name) => [`vendor/${name}`, name] as const);
  const [modules, worker, bridge] = await Promise.all([
    build({
      ...shared,
      absWorkingDir: root,
      metafile: true,
      format: 'esm',
      splitting: true,
      outdir: '/',
      outExtension: { '.js': '.mjs' },
      entryPoints: Object.fromEntries([
        ...source.packed.map((name) => [name, `src/${name}.ts`] as const),
        ...vendor,
      ]),
      // packages that are CommonJS inside ask for Node's modules by `require`
      external: OPTIONAL,
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
      plugins,
    }),
    build({
      ...shared,
      absWorkingDir: root,
      format: 'cjs',
      entryPoints: ['src/tensors/wasm/worker.ts'],
      external: OPTIONAL,
      plugins,
    }),
    build({
      ...shared,
      absWorkingDir: root,
      metafile: true,
      format: 'cjs',
      entryPoints: [BRIDGE],
      define: { 'import.meta.url': '__importMetaUrl', __ARCLAB_VERSION__: JSON.stringify(version) },
      banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
      // larger strippers and a reader of plots, which the kernel does without
      external: ['amaro', 'typescript', ...OPTIONAL],
      plugins,
    }),
  ]);
  assertAllUsed(standIns.unused());
  const files = new Map<string, Uint8Array>();
  files.set('package.json', Buffer.from(packageJson(name, version)));
  for (const { path, contents } of modules.outputFiles!) files.set(`packed${path}`, contents);
  files.set('bridge.cjs', bridge.outputFiles![0]!.contents);
  files.set('dist/sample-worker.cjs', Buffer.from(workerStub));
  files.set('dist/submit-worker.cjs', Buffer.from(workerStub));
  if (!config.leaveOut.includes('wasm')) {
    files.set('dist/wasm-worker.cjs', worker.outputFiles![0]!.contents);
    files.set('dist/kernels.wasm', readBuilt(join(root, 'dist/kernels.wasm')));
  }
  if (!config.leaveOut.includes('torch')) files.set('koffi.node', koffiNative(root));
  const inputs = [modules, bridge].flatMap(({ metafile }) => Object.keys(metafile!.inputs));
  // beside an installed arclab, in the own folder of a clone
  const packages = inputs.flatMap(
    (path) =>
      /(?:^(?:\.\.\/)+(?!node_modules)|node_modules\/)((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(
        path,
      )?.[1] ?? [],
  );
  return {
    files,
    inputs: [
      ...inputs.filter((path) => /^(src|kernel|templates)\//.test(path)),
      'src/tensors/wasm/worker.ts',
    ],
    packages: [...new Set(packages)].sort(),
  };
}

/** Where the unpacked modules find each other. */
function packageJson(name: string, version: string): string {
  const imports = {
    ...Object.fromEntries(
      [...PACKED_PLACES, 'vendor'].map((folder) => [`#${folder}/*`, `./packed/${folder}/*.mjs`]),
    ),
    '#koffi': './koffi.node',
  };
  return `${JSON.stringify({ name, version, type: 'module', exports: './arclab.mjs', imports })}\n`;
}

function readBuilt(path: string): Uint8Array {
  if (!existsSync(path)) throw new KaggleError(`${path}: not there; run npm run build first`);
  return readFileSync(path);
}

/** Kaggle's machines are Linux on x64, whatever this one is. */
function koffiNative(root: string): Uint8Array {
  const ours = createRequire(join(root, 'package.json'));
  const koffi = join(packageFolder('koffi', ours)!, 'package.json');
  const { version } = JSON.parse(readFileSync(koffi, 'utf8'));
  const name = '@koromix/koffi-linux-x64';
  const native = packageFolder(name, createRequire(koffi));
  const path = join(native ?? join(root, 'node_modules', name), 'linux_x64/koffi.node');
  // Node looks for two names of an addon
  if (existsSync(path)) return shrinkNativeModule(readFileSync(path), /^(napi|node_api)_/);
  throw new KaggleError(
    `${path}: koffi's module for Kaggle's machines is not there; npm install --no-save --force ${name}@${version}`,
  );
}

/** Where a package lies that a module may require: beside arclab where it was installed, in its own folder in a clone. */
function packageFolder(name: string, from: NodeJS.Require): string | undefined {
  return (from.resolve.paths(name) ?? [])
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')));
}
