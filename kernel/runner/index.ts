/** Notebooks run from their first cell to their last, without Python and without a browser. */
export { parseParameter } from './parameters.js';
export { parseCellRange } from './plan.js';
export {
  type CellPlace,
  NotebookRun,
  type RunEvent,
  type RunOptions,
  type RunResult,
  runNotebook,
} from './run-notebook.js';
