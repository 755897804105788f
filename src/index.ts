/**
 * arclab's public API: what a notebook or a program imports from 'arclab'. The flows of an experiment come
 * first; below them are the parts that they are made of, for looking and for trying something else.
 *
 * @example
 * import { evaluate, fineTune, infer } from 'arclab';
 * const { checkpoint } = await fineTune({ modelPath: 'models/base', trainDatasets: [['train.json', 'output-from-examples-v1']], outputDir: 'models/01', maxSteps: 1000 });
 * await infer({ modelPath: 'models/base', adapterPath: checkpoint, datasetPath: 'val.json', outputFilepath: 'inference.json', predictionsPerTask: 8 });
 * console.log(evaluate({ inferenceFilepath: 'inference.json', datasetPath: 'val.json' }));
 */
export * from './arc/index.js';
export { UserError } from './common/errors.js';
export { Rng } from './common/rng.js';
export * from './display/index.js';
export * from './evaluation/index.js';
export * from './experiments/index.js';
export * from './generation/index.js';
export * from './models/index.js';
export * from './prompts/index.js';
export { addBackend, type BackendEntry, initBackend, knownBackends } from './tensors/backend.js';
export * from './training/index.js';
export * from './writeup/index.js';
