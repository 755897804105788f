/** Grids, tasks, plots and tables to look at, in a notebook, a terminal or a report. */
export * from './displayable.js';
export { cellSizeFor, type GridOptions, gridSvg } from './grid-svg.js';
export * from './palette.js';
export * from './plots.js';
export * from './prompt-view.js';
export * from './render-plot.js';
export * from './report.js';
export { type GeneratedCard, type TaskCard, type TaskCardOptions, taskCards } from './report-gallery.js';
export * from './tables.js';
export { gridsSvg, type LayoutOptions, type PredictedInput, predictionsSvg, taskSvg } from './task-svg.js';
export { gridText, sideBySide } from './terminal.js';
