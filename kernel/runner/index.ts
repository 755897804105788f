/** Notebooks run from their first cell to their last, without Python and without a browser. */
export type { CellFailure } from './cell-runner.js';
export { listKernels } from './kernelspecs.js';
export { type Parameter, parseParameter } from './parameters.js';
export { type CellRange, parseCellRange } from './plan.js';
export {
  type CellPlace,
  NotebookRun,
  type RunEvent,
  type RunOptions,
  type RunResult,
  runNotebook,
} from './run-notebook.js';
