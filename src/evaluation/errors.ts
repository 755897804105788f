import { UserError } from '../common/errors.js';

/** A result file, or the data set it is measured against, that does not fit the other. */
export class EvaluationError extends UserError {
  override name = 'EvaluationError';
}

/** A submission that the competition would refuse. */
export class SubmissionError extends UserError {
  override name = 'SubmissionError';
}
