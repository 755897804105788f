import { createRequire, Module } from 'node:module';
import { join } from 'node:path';
import * as util from 'node:util';
import * as tf from '../tf.js';

/** What tfjs-node's files use of tfjs: named, because the whole of it would make every bundle larger by a tenth. */
const used = {
  ...{ backend_util: tf.backend_util, util: tf.util, Tensor: tf.Tensor, DataStorage: tf.DataStorage },
  ...{ engine: tf.engine, findBackend: tf.findBackend, getBackend: tf.getBackend, tidy: tf.tidy },
  ...{ registerKernel: tf.registerKernel, scalar: tf.scalar, tensor: tf.tensor, tensor1d: tf.tensor1d },
  ...{ tensor2d: tf.tensor2d, zeros: tf.zeros, ones: tf.ones, fill: tf.fill, linspace: tf.linspace },
  ...{
    oneHot: tf.oneHot,
    abs: tf.abs,
    add: tf.add,
    sub: tf.sub,
    mul: tf.mul,
    cast: tf.cast,
    rsqrt: tf.rsqrt,
  },
  ...{ minimum: tf.minimum, maximum: tf.maximum, greater: tf.greater, where: tf.where, isNaN: tf.isNaN },
  ...{ matMul: tf.matMul, concat: tf.concat, stack: tf.stack, relu: tf.relu, relu6: tf.relu6, elu: tf.elu },
  ...{ sigmoid: tf.sigmoid, prelu: tf.prelu, leakyRelu: tf.leakyRelu },
  // their backend is a constructor function, which cannot extend a class; ours takes its place
  KernelBackend: function KernelBackend(): void {},
};

/** tfjs as tfjs-node's files see it: what they use, and the names of kernels, constants that are called as they are. */
export const tfjs: Record<string, unknown> = new Proxy(used as Record<string, unknown>, {
  get: (target, name: string) => target[name] ?? (/^_?[A-Z]/.test(name) ? name : undefined),
});

/** The modules that tfjs-node's files see, by the names under which they require them. */
function replacements(): Record<string, unknown> {
  return {
    '@tensorflow/tfjs': tfjs,
    '@tensorflow/tfjs-core': tfjs,
    // summaries for TensorBoard: never asked for, and they bring another package along
    './proto/api_pb': {},
    // the last two are gone from later versions of Node
    util: {
      ...util,
      isArray: Array.isArray,
      isNullOrUndefined: (x: unknown) => x === undefined || x === null,
    },
  };
}

/**
 * Registers the kernels of a tfjs-node package for the backend `tensorflow` of our own copy of tfjs-core. What they
 * require is put into Node's cache of modules for as long as they are loaded; afterwards the cache is as it was, so
 * that anyone else who requires the same names gets the real ones.
 * @param packageFolder the folder that holds tfjs-node's `dist/`
 */
export function registerTfjsNodeKernels(packageFolder: string): void {
  const require = createRequire(join(packageFolder, 'dist', 'arclab.js'));
  const before = { ...require.cache };
  for (const [name, exports] of Object.entries(replacements())) {
    const path = require.resolve(name);
    require.cache[path] = Object.assign(new Module(path), { filename: path, loaded: true, exports });
  }
  try {
    require('./register_all_kernels.js');
  } finally {
    for (const path of Object.keys(require.cache)) {
      if (before[path]) require.cache[path] = before[path];
      else delete require.cache[path];
    }
  }
}
