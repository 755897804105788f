import { UserError } from '../common/errors.js';

/** A data set file that is not what it should be. */
export class DatasetError extends UserError {
  override name = 'DatasetError';
}

/** Outputs of test inputs are needed and the data set does not have them. */
export class MissingSolutionsError extends UserError {
  override name = 'MissingSolutionsError';
}

/** A task generator, or a family of them, that does not exist or cannot work with the given limits. */
export class GeneratorError extends UserError {
  override name = 'GeneratorError';
}
