/** Iteration write-ups: Markdown in, a notebook that runs, Markdown out. */
export * from './check.js';
export { WriteupError } from './errors.js';
export { type ExportOptions, type ExportResult, exportWriteup } from './export.js';
export { type ImportOptions, type ImportResult, importWriteup } from './import.js';
export { type NewWriteup, newWriteup } from './new.js';
export { type NotebookJson, notebookText } from './notebook-json.js';
export { sh } from './sh.js';
