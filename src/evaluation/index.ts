/** Metrics, voting, studies, comparisons and submissions. */
export * from './compare.js';
export * from './errors.js';
export { fallbackAttempts } from './fallback.js';
export * from './files.js';
export * from './grids.js';
export * from './metrics.js';
export * from './spread.js';
export * from './studies.js';
export * from './submission.js';
export * from './types.js';
export * from './voting.js';
