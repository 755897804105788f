/** What the cells of a Kaggle notebook can import from 'arclab'. Everything else is left out of its bundle. */
export { parseDuration } from '../../src/common/duration.js';
export { showTaskCards } from '../../src/display/displayable.js';
export { textTable } from '../../src/display/tables.js';
export { showProgress } from '../../src/progress/index.js';
export { failureLine } from '../../src/submit/ledger.js';
export { reviewSubmission } from '../../src/submit/review.js';
export { submit } from '../../src/submit/submit.js';

// these start by themselves where this module is loaded in a thread or a process of theirs
import '../../src/submit/worker.js';
import '../../src/training/sample-worker.js';
