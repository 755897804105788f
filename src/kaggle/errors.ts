import { UserError } from '../common/errors.js';

/** A notebook that cannot be built, or is not what it should be. */
export class KaggleError extends UserError {
  override name = 'KaggleError';
}
