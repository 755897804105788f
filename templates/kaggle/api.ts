/** What the cells of a Kaggle notebook can import from 'arclab'. Everything else is left out of its bundle. */
export { parseDuration } from '../../src/common/duration.js';
export { submit } from '../../src/experiments/submit.js';
export { failureLine } from '../../src/experiments/submit-ledger.js';
export { submitProgress } from '../../src/experiments/submit-progress.js';

// these start by themselves where this module is loaded in a thread or a process of theirs
import '../../src/experiments/submit-worker.js';
import '../../src/training/sample-worker.js';
