import { UserError } from '../common/errors.js';

/** Almost no training sample fits into `maxSeqLen`. */
export class NothingFitsError extends UserError {
  override name = 'NothingFitsError';
}

/** A data set from which no training sample can be drawn. */
export class TrainingDataError extends UserError {
  override name = 'TrainingDataError';
}

/** A checkpoint that cannot be written, or not be continued with the options that were given. */
export class CheckpointError extends UserError {
  override name = 'CheckpointError';
}

/** The loss or its gradient stopped being a number. */
export class DivergedError extends UserError {
  override name = 'DivergedError';
}
