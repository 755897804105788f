/** What the cells of a Kaggle notebook can import from 'arclab'. Everything else is left out of its bundle. */
export { infer } from '../../src/experiments/infer.js';
export { voteOnPredictions } from '../../src/experiments/vote.js';

// starts by itself where this module is loaded in a thread of its own
import '../../src/training/sample-worker.js';
