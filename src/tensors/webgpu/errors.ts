import { UserError } from '../../common/errors.js';

/** The GPU went away, or its driver refused what it was given. */
export class GpuFailedError extends UserError {
  override name = 'GpuFailedError';
  /** What happened, without the advice that the message ends with. */
  readonly reason: string;

  constructor(reason: string, advice: string) {
    super(`${reason}; ${advice}`);
    this.reason = reason;
  }
}
