/**
 * What the packed half does not hold of the packages it is made of, as an esbuild plugin. Each entry of the tables
 * has to match: when a package is reorganised, the build fails instead of growing unnoticed.
 */
import type { Plugin } from 'esbuild';
import { KaggleError } from './errors.js';

/** A module that takes the place of others. */
export interface StandIn {
  /** The import as it is written: its whole text, or a pattern. */
  readonly path: string | RegExp;
  /** Only where a file whose path matches imports it. */
  readonly importer?: RegExp;
  readonly contents: string;
}

/** Nothing, for modules that are imported by name: every name is undefined. */
const NOTHING = 'module.exports = {};';
/** Nothing, for modules of which all names are exported again. */
const NO_NAMES = 'export {};';

const SUCRASE = /\/sucrase\//;
const TFJS = /\/tfjs-(core|backend-cpu)\//;
/** tfjs' lists of its kernels, gradients and operations: nothing else leads to most of them. */
const TFJS_LISTS = /\/tfjs-.*\/(register_all_(kernels|gradients)|ops\/ops)\.js$/;

/** Parts of sucrase for other languages than TypeScript and for older engines. */
const unusedSucrase: readonly RegExp[] = [
  /\/plugins\/flow$/,
  /\/plugins\/jsx\//,
  /\/FlowTransformer$/,
  /\/JSXTransformer$/,
  /\/React\w+Transformer$/,
  /\/JestHoistTransformer$/,
  /\/OptionalChainingNullishTransformer$/,
  /\/NumericSeparatorTransformer$/,
  /\/OptionalCatchBindingTransformer$/,
  /\/CJSImport\w+$/,
  /\/computeSourceMap$/,
  /\/Options-gen-types$/,
  /\/formatTokens$/,
];

/** Operations of tfjs that no language model has: convolutions, pictures, spectra, strings, sparse tensors. */
const unusedOperations: readonly RegExp[] = [
  /\/image\//,
  /\/signal\//,
  /\/sparse\//,
  /\/spectral\//,
  /\/string\//,
  /\/(_?fused_?)?(depthwise_?)?(separable_?)?conv/i,
  /\/\w*pool/i,
  /\/\w*bincount/i,
  /\/\w*to_?space/i,
  /\/\w*to_?batch/i,
  /\/crop/i,
  /\/dilation/i,
  /\/i?fft/i,
  /\/flip/i,
  /\/resize/i,
  /\/rotate/i,
  /\/transform$/i,
  /\/non_?max/i,
  /\/ragged/i,
  /\/sparse/i,
  /\/static_?regex/i,
  /\/string/i,
  /\/lrn/i,
  /\/local_resp/i,
  /\/draw/i,
  /\/multi_rnn/i,
  /\/basic_lstm/i,
];

/** The functions by which tfjs' lists register what they name; they pass over what is left out. */
const REGISTER = `import { registerGradient as gradient, registerKernel as kernel } from '@tensorflow/tfjs-core';
export const registerGradient = (config) => config && gradient(config);
export const registerKernel = (config) => config && kernel(config);`;

/** Of every package of the packed half, what it does without. */
export const packageStandIns: readonly StandIn[] = [
  // tfjs asks for it only to load models over the network; Node has its own
  { path: 'node-fetch', contents: 'module.exports = globalThis.fetch;' },
  // tfjs' own files and formats of models; its flags are loaded from there
  {
    path: /^\.\.?\/io\//,
    importer: TFJS,
    contents: "require('@tensorflow/tfjs-core/dist/flags'); module.exports = {};",
  },
  ...unusedOperations.map((path) => ({ path, importer: TFJS_LISTS, contents: NOTHING })),
  { path: /^(@tensorflow\/tfjs-core|\.\/kernel_registry)$/, importer: TFJS_LISTS, contents: REGISTER },
  // training has an optimizer of its own
  { path: /\/register_optimizers$/, importer: TFJS, contents: 'export function registerOptimizers() {}' },
  { path: /\/optimizers\/optimizer_constructors$/, importer: TFJS, contents: NOTHING },
  { path: /\/optimizers\/\w+_optimizer$/, importer: TFJS, contents: NOTHING },
  { path: './test_util', importer: TFJS, contents: NO_NAMES },
  { path: './ops/browser', importer: TFJS, contents: NO_NAMES },
  { path: './platforms/platform_browser', importer: TFJS, contents: NO_NAMES },
  // hashes of strings, with a package of their own
  { path: './hash_util', importer: TFJS, contents: NO_NAMES },
  { path: '../ops/conv_util', importer: /\/backend_util\.js$/, contents: NO_NAMES },
  { path: '../ops/ragged_to_dense_util', importer: /\/backend_util\.js$/, contents: NO_NAMES },
  { path: /^\.\.\/ops\/sparse\//, importer: /\/backend_util\.js$/, contents: NO_NAMES },
  ...unusedSucrase.map((path) => ({ path, importer: SUCRASE, contents: NOTHING })),
  // sucrase's check of its options, which are ours
  {
    path: 'ts-interface-checker',
    contents: 'export const createCheckers = () => ({ Options: { strictCheck() {} } });',
  },
  // there is no terminal to draw a bar on
  { path: 'cli-progress', contents: 'export const SingleBar = undefined; export const Presets = {};' },
  // koffi's own JavaScript looks for the native module in the folders of an installation
  {
    path: 'koffi',
    contents:
      "import { createRequire } from 'node:module'; export default createRequire(import.meta.url)('#koffi');",
  },
];

/** A plugin of stand-ins, and which of them no import has asked for yet. */
export function standInPlugin(
  standIns: readonly StandIn[],
  root: string,
): { plugin: Plugin; unused(): string[] } {
  const used = new Set<StandIn>();
  const plugin: Plugin = {
    name: 'stand-ins',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, namespace }) => {
        if (namespace === 'stand-in') return undefined;
        const index = standIns.findIndex(
          (entry) =>
            (typeof entry.path === 'string' ? entry.path === path : entry.path.test(path)) &&
            (entry.importer?.test(importer) ?? true),
        );
        if (index < 0) return undefined;
        used.add(standIns[index]!);
        return { path: String(index), namespace: 'stand-in' };
      });
      build.onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => ({
        contents: standIns[Number(path)]!.contents,
        resolveDir: root,
      }));
    },
  };
  const unused = () => standIns.filter((entry) => !used.has(entry)).map(({ path }) => String(path));
  return { plugin, unused };
}

/** @throws {KaggleError} when a stand-in has not taken the place of anything */
export function assertAllUsed(unused: readonly string[]): void {
  if (unused.length === 0) return;
  throw new KaggleError(
    `no module of the bundle imports ${unused.join(', ')} any more: correct the tables in src/kaggle/stand-ins.ts`,
  );
}
