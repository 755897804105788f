import { UserError } from '../../common/errors.js';

/** No usable TensorFlow: says what was found and what to do. */
export class TensorFlowNotFoundError extends UserError {
  override name = 'TensorFlowNotFoundError';
}

/** The addon could not be built: says which part is missing and what to do. */
export class TensorFlowBuildError extends UserError {
  override name = 'TensorFlowBuildError';
}

/** An operation of TensorFlow failed: carries its name and TensorFlow's own message. */
export class TensorFlowError extends Error {
  override name = 'TensorFlowError';

  constructor(operation: string, message: string) {
    super(`tensorflow: ${operation}: ${message}`);
  }
}
