/**
 * The packed half of the bundle: what the readable source stands on. `common/` and `tensors/`, third-party
 * packages and the bridge to the notebook as minified ES modules that share their chunks; workers, the kernels and
 * koffi's native module as files.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import type { KaggleConfig } from './config.js';
import { KaggleError } from './errors.js';
import type { SourceBundle } from './source.js';

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

/** Modules that a bundle must not hold, with what stands in for them. */
const standIns: Readonly<Record<string, string>> = {
  // tfjs asks for it only to load models over the network; Node has its own
  'node-fetch': 'module.exports = globalThis.fetch;',
  // tfjs' own files and formats of models; its flags are loaded from there
  'tfjs-io': "require('@tensorflow/tfjs-core/dist/flags'); module.exports = {};",
  nothing: 'module.exports = {};',
  'ts-interface-checker': 'export const createCheckers = () => ({ Options: { strictCheck() {} } });',
  // ajv resolves addresses with it; our schemas have none, and the schema of schemas refers to its own parts
  'fast-uri': `exports.parse = (address) => ({ path: address.split('#')[0], fragment: address.split('#')[1] });
    exports.serialize = ({ path }) => path;
    exports.resolve = (base, path) => (path === '' || path.startsWith('#') ? base.split('#')[0] + path : path);`,
  // there is no terminal to draw a bar on
  'cli-progress': 'export const SingleBar = undefined; export const Presets = {};',
  // koffi's own JavaScript looks for the native module in the folders of an installation
  koffi:
    "import { createRequire } from 'node:module'; export default createRequire(import.meta.url)('#koffi');",
};

/** Parts of sucrase for other languages than TypeScript and for older engines, and its check of options. */
const UNUSED_SUCRASE =
  /\/(plugins\/flow|plugins\/jsx(\/.*)?|FlowTransformer|JSXTransformer|React\w+Transformer|JestHoistTransformer|(OptionalChainingNullish|NumericSeparator|OptionalCatchBinding)Transformer|CJSImport\w+|computeSourceMap|Options-gen-types|formatTokens)$/;

/** Operations of tfjs that no language model has: convolutions, pictures, spectra, strings, sparse and ragged tensors. */
const UNUSED_TFJS =
  /\/((image|signal|sparse|spectral|string)\/|(_?fused_?)?(depthwise_?)?(separable_?)?(conv|pool)|\w*(pool|bincount|to_?space|to_?batch|_to_depth)|crop|dilation|i?fft|flip|resize|rotate|transform$|non_?max|ragged|sparse|static_?regex|string|lrn|local_resp|draw|multi_rnn|basic_lstm)/i;

/** Takes them out of a list of tfjs' (of its kernels, gradients or operations): nothing else leads to them. */
function withoutUnused(list: string): string {
  return list
    .replace(/^(import|export) \{ (\w+) \} from '(.*)';$/gm, (line, kind, name, path) =>
      UNUSED_TFJS.test(path) ? (kind === 'import' ? `const ${name} = undefined;` : '') : line,
    )
    .replace(/ of (kernel|grad)Configs\)/, ' of $1Configs.filter(Boolean))');
}

/** What a backend's module is replaced with where it is left out: it says so. */
function leftOut(backend: string, register: string): string {
  const message = `backend ${backend} is not in this notebook (leaveOut in its configuration)`;
  return `export function ${register}() { throw new Error(${JSON.stringify(message)}); }`;
}

function packedPlugin(root: string, config: KaggleConfig): Plugin {
  const replaced: Record<string, string> = {
    ...standIns,
    // its addon would have to be compiled there
    './tensorflow/index.js': leftOut('tensorflow', 'registerTensorFlowBackend'),
  };
  if (config.leaveOut.includes('torch'))
    replaced['./torch/index.js'] = leftOut('torch', 'registerTorchBackend');
  if (config.leaveOut.includes('wasm')) replaced['./wasm/index.js'] = leftOut('wasm', 'registerWasmBackend');
  return {
    name: 'packed',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
        if (/^\.\.?\/io\//.test(path) && importer.includes('tfjs-core'))
          return { path: 'tfjs-io', namespace: 'stand-in' };
        if (UNUSED_SUCRASE.test(path) && importer.includes('sucrase'))
          return { path: 'nothing', namespace: 'stand-in' };
        return Object.hasOwn(replaced, path) ? { path, namespace: 'stand-in' } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => ({
        contents: replaced[path]!,
        resolveDir: root,
      }));
      build.onLoad({ filter: /tfjs-.*\/(register_all_(kernels|gradients)|ops\/ops)\.js$/ }, ({ path }) => ({
        contents: withoutUnused(readFileSync(path, 'utf8')),
      }));
      // optional: loaded by name where someone has them
      build.onResolve({ filter: /^(chokidar|fsevents|vega|vega-lite)$/ }, ({ path }) => ({
        path,
        external: true,
      }));
    },
  };
}

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
  const plugins = [packedPlugin(root, config)];
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
      external: ['amaro', 'typescript', 'vega', 'vega-lite'],
      plugins,
    }),
  ]);
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
  const packages = inputs.flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1] ?? [],
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
    '#common/*': './packed/common/*.mjs',
    '#tensors/*': './packed/tensors/*.mjs',
    '#vendor/*': './packed/vendor/*.mjs',
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
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/koffi/package.json'), 'utf8'));
  const path = join(root, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
  if (existsSync(path)) return readFileSync(path);
  throw new KaggleError(
    `${path}: koffi's module for Kaggle's machines is not there; npm install --no-save --force @koromix/koffi-linux-x64@${version}`,
  );
}
