import { UserError } from '../../common/errors.js';

/** The GPU went away, or its driver refused what it was given. */
export class GpuFailedError extends UserError {
  override name = 'GpuFailedError';
}
